"""The page's style sheet; kept as text so that the page needs no file beside it."""

CSS = """
:root { color-scheme: light dark; --ink: #1c2126; --soft: #5b6570; --line: #d9dee3; --paper: #ffffff;
  --tint: #f4f6f8; --accent: #0b62a8; --warn: #fff4e0; --warn-line: #e0a030; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ec; --soft: #a2acb6; --line: #39424b; --paper:
  #15191d;
  --tint: #1e242a; --accent: #7cbcf0; --warn: #33280f; --warn-line: #b98a2e; } }
* { box-sizing: border-box; }
html { scroll-behavior: smooth; }
body { margin: 0 auto; padding: 0 1.25rem 3rem; max-width: 76rem; background: var(--paper); color:
  var(--ink);
  font: 1rem/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif; }
header { display: flex; flex-wrap: wrap; gap: .25rem 1.5rem; align-items: baseline; padding: 1.25rem 0
  .5rem;
  border-bottom: 1px solid var(--line); }
h1 { font-size: 1.45rem; margin: 0; } h2 { font-size: 1.25rem; margin: 1.75rem 0 .25rem; }
h3 { font-size: .95rem; margin: 0 0 .25rem; } p { margin: .25rem 0 .75rem; }
a { color: var(--accent); margin-right: .75rem; } code { font-size: .88em; overflow-wrap: anywhere; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .92rem; margin: .5rem 0
  1rem; }
.headline { width: 100%; }
caption { caption-side: bottom; text-align: left; color: var(--soft); font-size: .82rem; padding-top: .4rem;
  }
th, td { padding: .32rem .6rem; text-align: right; border-bottom: 1px solid var(--line); white-space:
  nowrap;
  vertical-align: baseline; }
th:first-child { text-align: left; position: sticky; left: 0; background: var(--paper); }
thead th { border-bottom: 2px solid var(--soft); font-weight: 600; }
tbody th { font-weight: 500; } tbody tr:hover > * { background: var(--tint); }
td small { color: var(--soft); margin-left: .45rem; font-size: .78em; } .arrow { color: var(--soft);
  font-weight: 400; }
.first { font-weight: 700; } .second { text-decoration: underline; text-underline-offset: .18em; } .third {
  font-style: italic; }
.missing { color: var(--soft); }
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 26rem), 1fr)); gap: 1rem;
  margin: .75rem 0; }
figure { margin: 0; max-width: 36rem; } figure img { width: 100%; height: auto; background: #fff; border:
  1px solid var(--line);
  border-radius: 6px; padding: .4rem; display: block; }
figcaption { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
aside { background: var(--tint); border-left: 4px solid var(--soft); padding: .6rem .9rem; margin: .6rem 0;
  font-size: .9rem;
  overflow-wrap: anywhere; }
aside.problems { background: var(--warn); border-color: var(--warn-line); } aside ul { margin: 0;
  padding-left: 1.1rem; }
details { border-top: 1px solid var(--line); padding: .5rem 0; } summary { cursor: pointer; font-weight:
  500; }
dl { font-size: .9rem; } dt { font-weight: 600; margin-top: .4rem; } dd { margin: 0; color: var(--soft); }
footer { margin-top: 2rem; color: var(--soft); font-size: .85rem; }
@media (max-width: 40rem) { body { padding: 0 .8rem 2rem; } th, td { padding: .3rem .45rem; } td small {
  display: block; margin: 0; } }
@media print { :root { color-scheme: light; --ink: #000; --soft: #444; --line: #bbb; --paper: #fff; --tint:
  #fff;
  --warn: #fff; --accent: #000; } body { max-width: none; padding: 0; font-size: 10pt; } nav { display:
  none; }
  .scroll { overflow: visible; } section + section { break-before: page; } figure, tr { break-inside: avoid;
  }
  .plots { grid-template-columns: 1fr 1fr; } table { font-size: 8pt; } th:first-child { position: static; }
  }
"""
