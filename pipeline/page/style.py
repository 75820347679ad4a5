"""How the page looks, by day and by night, on a desk and on a phone."""

STYLE = """
:root { color-scheme: light dark; --ink: light-dark(#1c1f24, #e6e8eb); --soft: light-dark(#5b6472, #9aa4b2);
  --ground: light-dark(#ffffff, #14171b); --panel: light-dark(#f5f6f8, #1d2127);
  --line: light-dark(#d8dce2, #363c45);
  --pass: light-dark(#1a7f37, #4ac26b); --fail: light-dark(#c0232c, #ff7b72);
  --open: light-dark(#9a6700, #d4a72c);
  --ours: light-dark(#c2410c, #fb923c); --theirs: light-dark(#6b7280, #9ca3af); }
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 62rem; margin: 0 auto; padding: 1rem; }
header { border-left: .4rem solid var(--verdict); padding: .2rem 0 .2rem 1rem; margin: 1rem 0; }
.PASS { --verdict: var(--pass); } .FAIL { --verdict: var(--fail); }
.INCONCLUSIVE { --verdict: var(--open); }
.value { margin: 0; color: var(--verdict); font-weight: 700; letter-spacing: .06em; }
h1 { font-size: 1.6rem; line-height: 1.2; margin: .1rem 0 .4rem; }
h2 { font-size: 1.05rem; margin: 0 0 .4rem; }
section { margin: 2rem 0; } p { margin: .2rem 0; } ul { margin: .3rem 0; padding-left: 1.1rem; }
.sides, .legend, section > p, article p { color: var(--soft); font-size: .875rem; }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(16rem, 1fr)); gap: .75rem;
  margin: 1rem 0; }
article { background: var(--panel); border-radius: .6rem; padding: .8rem 1rem; }
article h2 { font-size: .875rem; font-weight: 600; color: var(--soft); margin: 0; }
article .figure { color: var(--ink); font-size: 1.5rem; font-weight: 650;
  font-variant-numeric: tabular-nums; }
.row { display: flex; flex-wrap: wrap; gap: 1.5rem; align-items: flex-start; }
figure { margin: 0; } figcaption { font-size: .8rem; color: var(--soft); text-align: center; }
.items { display: grid; grid-template-columns: repeat(auto-fill, minmax(9rem, 1fr)); gap: .75rem; }
.items img { width: 100%; aspect-ratio: 16/9; object-fit: cover; border-radius: .3rem; display: block; }
.items figcaption { text-align: left; }
svg { display: block; max-width: 100%; height: auto; }
svg text { font: 11px system-ui, sans-serif; fill: var(--soft); }
svg.square { width: 250px; } svg.forest { width: 640px; } svg.age { width: 520px; }
svg.gauge { width: 100%; margin: .4rem 0; }
polyline { fill: none; stroke-width: 2; } svg line { stroke-width: 2.5; stroke-linecap: round; }
rect.grid, line.grid, polyline.grid { fill: none; stroke: var(--line); stroke-width: 1; }
.dashed { stroke-dasharray: 3 3; }
.challenger { stroke: var(--ours); background: var(--ours); }
.champion { stroke: var(--theirs); background: var(--theirs); }
circle.challenger { fill: var(--ours); fill-opacity: .55; }
circle.champion { fill: var(--theirs); fill-opacity: .55; }
.won { stroke: var(--pass); background: var(--pass); }
.lost { stroke: var(--fail); background: var(--fail); }
.open { stroke: var(--theirs); background: var(--theirs); }
circle.won { fill: var(--pass); } circle.lost { fill: var(--fail); } circle.open { fill: var(--theirs); }
rect.empty { fill: var(--line); } rect.filled { fill: var(--ours); }
.legend i { display: inline-block; width: .7rem; height: .7rem; border-radius: 50%;
  margin: 0 .3rem 0 .8rem; }
.legend i:first-child { margin-left: 0; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
caption { text-align: left; color: var(--soft); font-size: .875rem; }
th, td { padding: .25rem .7rem .25rem 0; text-align: right; border-bottom: 1px solid var(--line);
  font-weight: 400; }
th:first-child { text-align: left; } .bad { color: var(--fail); }
code { font-size: .85em; overflow-wrap: anywhere; }
details { margin-top: .5rem; } summary { cursor: pointer; color: var(--soft); }
"""
