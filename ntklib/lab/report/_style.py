"""The page's style sheet."""

CSS = """
:root {
  color-scheme: light dark;
  --ground: #fbfbfa; --card: #ffffff; --ink: #1d2733; --soft: #5b6775; --line: #e2e5e9;
  --accent: #2563b0; --tint: #eef4fb; --good: #1f7a52;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #12161b; --card: #1a2027; --ink: #e4e8ed; --soft: #9ba7b4; --line: #2d353f;
    --accent: #7db2f0; --tint: #1c2a3a; --good: #6cc79a;
  }
}
* { box-sizing: border-box; }
html { scroll-behavior: smooth; -webkit-text-size-adjust: 100%; }
body {
  margin: 0; background: var(--ground); color: var(--ink);
  font: 16px/1.6 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans",
    "DejaVu Sans", sans-serif;
}
main, header, footer { max-width: 58rem; margin: 0 auto; padding: 0 1.25rem; }
header { padding-top: 3rem; }
.eyebrow { color: var(--accent); font-weight: 600; letter-spacing: .06em; text-transform: uppercase;
  font-size: .8rem; margin: 0; }
h1 { font-size: clamp(1.7rem, 5vw, 2.4rem); line-height: 1.2; margin: .3rem 0 .6rem; letter-spacing: -.01em; }
.lead { font-size: 1.1rem; color: var(--soft); margin: 0 0 1.2rem; max-width: 46rem; }
nav { display: flex; flex-wrap: wrap; gap: .4rem .5rem; margin: 1.4rem 0 0; padding: 0; }
nav a { color: var(--accent); background: var(--tint); text-decoration: none; font-size: .88rem;
  padding: .2rem .7rem; border-radius: 1rem; }
nav a:hover, nav a:focus-visible { text-decoration: underline; }
section { background: var(--card); border: 1px solid var(--line); border-radius: .8rem;
  padding: 1.4rem 1.6rem; margin: 1.6rem 0; scroll-margin-top: 1rem; }
h2 { font-size: 1.35rem; line-height: 1.3; margin: 0 0 .6rem; }
p { margin: .6rem 0; max-width: 46rem; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(13.5rem, 1fr)); gap: .8rem;
  margin: 1rem 0; }
.tile { background: var(--tint); border-radius: .6rem; padding: .8rem 1rem; }
.tile b { display: block; font-size: 1.5rem; white-space: nowrap;
  line-height: 1.25; font-variant-numeric: tabular-nums; }
.tile span { color: var(--soft); font-size: .88rem; }
.scroll { overflow-x: auto; margin: .8rem 0; }
table { border-collapse: collapse; width: 100%; font-size: .93rem; }
th, td { text-align: left; padding: .45rem .8rem .45rem 0; border-bottom: 1px solid var(--line);
  vertical-align: top; }
td:last-child, th:last-child { padding-right: 0; }
thead th { color: var(--soft); font-weight: 600; font-size: .85rem; }
tbody th { font-weight: 600; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
tr.ours th, tr.ours td { color: var(--accent); font-weight: 600; }
.small, .interval { color: var(--soft); font-size: .85em; font-weight: 400; }
.interval { white-space: nowrap; }
figure { margin: 1.2rem 0 .4rem; }
figure svg { display: block; width: var(--width); height: auto; color: var(--ink); }
figure svg text { font-family: inherit !important; }
figcaption { color: var(--soft); font-size: .9rem; max-width: 46rem; margin-top: .5rem; }
code, pre { font-family: ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace;
  font-size: .9em; }
code { background: var(--tint); border-radius: .3rem; padding: .1em .35em; overflow-wrap: anywhere; }
pre { background: var(--tint); border-radius: .5rem; padding: .8rem 1rem; overflow-x: auto; }
pre code { background: none; padding: 0; }
ul { padding-left: 1.2rem; margin: .6rem 0; }
footer { color: var(--soft); font-size: .88rem; padding-bottom: 3rem; }
@media (max-width: 36rem) {
  section { padding: 1.1rem 1rem; border-radius: .6rem; }
  main, header, footer { padding-left: .7rem; padding-right: .7rem; }
  header { padding-top: 1.6rem; }
  figure { overflow-x: auto; } figure svg { width: 100%; min-width: 26rem; }
}
@media print { section { break-inside: avoid; border: none; padding: 0; } nav { display: none; } }
"""
