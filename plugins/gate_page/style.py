"""How it looks, by day and by night, on a desk and on a phone; inside Airflow its theme decides which."""

STYLE = """
:root { color-scheme: light dark; }
:root, :host { --ink: light-dark(#1c1f24, #e6e8eb); --soft: light-dark(#5b6472, #9aa4b2);
  --ground: light-dark(#ffffff, #111113); --panel: light-dark(#0f172a0a, #ffffff12);
  --line: light-dark(#d8dce2, #363c45); --link: light-dark(#0b57d0, #8ab4f8);
  --pass: light-dark(#1a7f37, #4ac26b); --fail: light-dark(#c0232c, #ff7b72);
  --open: light-dark(#9a6700, #d4a72c); --ours: light-dark(#c2410c, #fb923c); }
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); }
main { max-width: 62rem; margin: 0 auto; padding: .5rem 1rem 2rem; color: var(--ink);
  font: 16px/1.5 system-ui, sans-serif; overflow-wrap: anywhere; container-type: inline-size; }
a { color: var(--link); }
header { border-left: .4rem solid var(--verdict, var(--line)); padding: .1rem 0 .1rem 1rem; margin: 1rem 0; }
.PASS { --verdict: var(--pass); } .FAIL { --verdict: var(--fail); }
.INCONCLUSIVE { --verdict: var(--open); }
.value { margin: 0; color: var(--verdict); font-weight: 700; letter-spacing: .06em; }
h1 { font-size: 1.6rem; line-height: 1.2; margin: .1rem 0 .4rem; }
h2 { font-size: 1.05rem; margin: 0 0 .5rem; }
section { margin: 2rem 0; } p { margin: .2rem 0; } ul { margin: .3rem 0; padding-left: 1.1rem; }
.soft, article p, figcaption, .empty { color: var(--soft); font-size: .875rem; }
.empty { padding: .8rem 1rem; border: 1px dashed var(--line); border-radius: .6rem; }
.asked { background: var(--panel); border: 1px solid var(--open); border-radius: .6rem;
  padding: .6rem 1rem; display: flex; gap: 1rem; flex-wrap: wrap; justify-content: space-between; }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(8rem, 100%), 1fr));
  gap: .75rem; margin: 1rem 0; }
article { background: var(--panel); border-radius: .6rem; padding: .8rem 1rem; }
article h3 { font-size: .875rem; font-weight: 600; color: var(--soft); margin: 0; }
article .figure { color: var(--ink); font-size: 1.5rem; font-weight: 650; line-height: 1.3;
  font-variant-numeric: tabular-nums; }
.row { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(22rem, 100%), 1fr)); gap: 1.5rem; }
.items { display: grid; grid-template-columns: repeat(auto-fill, minmax(8rem, 1fr)); gap: .75rem; }
@container (max-width: 24rem) { .items { grid-template-columns: 1fr 1fr; } }
figure { margin: 0; } figcaption { line-height: 1.35; padding-top: .2rem; }
.items img { width: 100%; aspect-ratio: 16/9; object-fit: cover; border-radius: .4rem; display: block;
  background: var(--panel); }
nav { display: flex; flex-wrap: wrap; gap: .4rem 1.2rem; margin: .6rem 0; }
svg { display: block; width: 100%; height: auto; }
svg text { font: 12px system-ui, sans-serif; fill: var(--soft); }
svg .name { fill: var(--ink); } svg .gone { text-decoration: line-through; }
svg line, svg polyline { fill: none; stroke: var(--line); stroke-width: 1; }
svg .curve { stroke: var(--ours); stroke-width: 2; } svg .dashed { stroke-dasharray: 3 3; }
svg .reach { stroke: var(--soft); stroke-width: 2.5; stroke-linecap: round; }
svg .today { stroke: var(--fail); stroke-width: 2; }
svg circle { fill: var(--soft); } svg .now circle { fill: var(--ours); }
svg .now .reach { stroke: var(--ours); }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; font-size: .875rem; }
th, td { padding: .35rem .8rem .35rem 0; text-align: left; border-bottom: 1px solid var(--line);
  font-weight: 400; vertical-align: top; }
th { color: var(--soft); } code { font-size: .85em; }
td:first-child { font-weight: 600; overflow-wrap: normal; }
.state { white-space: nowrap; } .state.failed, .state.upstream_failed { color: var(--fail); }
.state.success { color: var(--pass); }
main.home { padding: 0; max-width: none; }
.home article { border: 1px solid var(--line); }
.home article .figure { font-size: 1.15rem; }
"""
