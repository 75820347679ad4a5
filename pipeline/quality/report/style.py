"""What this page needs beyond the style that all pages share."""

EXTRA = """
header { --verdict: var(--pass); } header.look { --verdict: var(--open); }
.cards { grid-template-columns: repeat(auto-fit, minmax(15rem, 1fr)); }
svg.bars { width: 26rem; }
rect.clear { fill: var(--theirs); } rect.roadwork { fill: var(--ours); }
rect.learned, rect.before { fill: var(--theirs); } rect.traffic, rect.lately { fill: var(--ours); }
i.clear, i.learned, i.before { background: var(--theirs); }
i.roadwork, i.traffic, i.lately { background: var(--ours); }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(19rem, 1fr)); gap: 1.5rem 2rem; }
.pair section { margin: 0; }
.items + p { margin-top: 1rem; }
.wide { overflow-x: auto; } .wide th, .wide td { white-space: nowrap; }
td, th { vertical-align: top; }
"""
