// The widget's looks, as a constructed sheet: a site's policy against inline styles does not touch it.

export function sheet() {
  const made = new CSSStyleSheet();
  made.replaceSync(CSS_TEXT);
  return made;
}

const CSS_TEXT = `
:host { all: initial; }
*, *::before, *::after { box-sizing: border-box; }
[hidden] { display: none !important; }

.root {
  --accent: #0f766e;
  --fill: #0f766e;
  --on-fill: #fff;
  --surface: #fff;
  --ground: #f6f7f7;
  --raised: #fff;
  --text: #17211f;
  --muted: #5c6966;
  --line: #e2e7e5;
  --theirs: #fff;
  --danger: #b3261e;
  --warn: #fdf3d8;
  --on-warn: #5b4300;
  --shadow: 0 1px 2px rgb(0 20 16 / 8%), 0 12px 40px rgb(0 20 16 / 18%);
  color-scheme: light;
  position: fixed;
  inset-block-end: max(20px, env(safe-area-inset-bottom));
  z-index: 2147483000;
  font: 400 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans Khmer", "Khmer OS", "Noto Sans", sans-serif;
  color: var(--text);
  -webkit-font-smoothing: antialiased;
}
.root.right { right: 20px; }
.root.left { left: 20px; }
.root:lang(km) { line-height: 1.75; }
.root[data-theme="dark"] {
  --accent: #43b5a8; --fill: #17695f; --on-fill: #f0fffc; --surface: #161c1b; --ground: #101514; --raised: #1e2625; --text: #e8eeec;
  --muted: #9fadaa; --line: #2b3533; --theirs: #222b2a; --danger: #ff8a80; --warn: #3a2f12; --on-warn: #f5dfa6;
  --shadow: 0 1px 2px rgb(0 0 0 / 40%), 0 16px 48px rgb(0 0 0 / 60%);
  color-scheme: dark;
}
@media (prefers-color-scheme: dark) {
  .root[data-theme="auto"] {
    --accent: #43b5a8; --fill: #17695f; --on-fill: #f0fffc; --surface: #161c1b; --ground: #101514; --raised: #1e2625; --text: #e8eeec;
    --muted: #9fadaa; --line: #2b3533; --theirs: #222b2a; --danger: #ff8a80; --warn: #3a2f12; --on-warn: #f5dfa6;
    --shadow: 0 1px 2px rgb(0 0 0 / 40%), 0 16px 48px rgb(0 0 0 / 60%);
    color-scheme: dark;
  }
}

button, textarea, input { font: inherit; color: inherit; letter-spacing: inherit; }
button { cursor: pointer; border: 0; background: none; padding: 0; }
a { color: inherit; }
h2, p { margin: 0; font: inherit; }
:focus { outline: none; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
.icon { inline-size: 1.35em; block-size: 1.35em; flex: none; fill: none; stroke: currentColor; stroke-width: 1.8; stroke-linecap: round; stroke-linejoin: round; }
.icon-chat path:last-child { stroke-width: 2.6; }
.heard { position: absolute; inline-size: 1px; block-size: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }

.launcher {
  display: grid; place-items: center; inline-size: 58px; block-size: 58px; border-radius: 50%; margin-inline-start: auto;
  background: var(--fill); color: var(--on-fill); font-size: 20px; box-shadow: var(--shadow);
  transition: transform .18s ease, filter .18s ease;
}
.left .launcher { margin-inline: 0 auto; }
.launcher:hover { filter: brightness(1.07); transform: translateY(-1px); }
.launcher:active { transform: scale(.96); }
.launcher:focus-visible { outline-offset: 3px; }
.launcher .icon { grid-area: 1 / 1; transition: opacity .18s, transform .18s; }
.launcher .icon-down, .open .launcher .icon-chat { opacity: 0; transform: rotate(-45deg) scale(.7); }
.open .launcher .icon-down { opacity: 1; transform: none; }
.badge {
  position: absolute; inset-block-start: -4px; inset-inline-end: -4px; min-inline-size: 22px; padding: 0 6px; border-radius: 11px;
  background: #d92d20; color: #fff; font-size: 12px; font-weight: 600; line-height: 22px; text-align: center; box-shadow: 0 0 0 2px var(--surface);
}

.dialog {
  position: absolute; inset-block-end: 74px; display: flex; flex-direction: column; overflow: hidden;
  inline-size: 384px; block-size: min(640px, calc(100dvh - 116px)); border-radius: 20px;
  background: var(--ground); box-shadow: var(--shadow); border: 1px solid var(--line);
  animation: rise .22s cubic-bezier(.2, .8, .2, 1);
}
.right .dialog { right: 0; }
.left .dialog { left: 0; }
@keyframes rise { from { opacity: 0; transform: translateY(12px) scale(.985); } }

header { display: flex; align-items: center; gap: 12px; padding: 14px 12px 14px 16px; background: var(--surface); border-block-end: 1px solid var(--line); }
.sign { display: grid; place-items: center; inline-size: 40px; block-size: 40px; border-radius: 14px; background: color-mix(in srgb, var(--accent) 14%, transparent); color: var(--accent); flex: none; }
.heading { flex: 1; min-inline-size: 0; }
h2 { font-weight: 650; font-size: 16px; line-height: 1.35; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
:lang(km) h2 { line-height: 1.8; }
.heading p { color: var(--muted); font-size: 12.5px; line-height: 1.4; }
:lang(km) .heading p { line-height: 1.7; }
.close, .attach { display: grid; place-items: center; inline-size: 40px; block-size: 40px; border-radius: 12px; color: var(--muted); flex: none; }
.close:hover, .attach:hover { background: color-mix(in srgb, var(--muted) 14%, transparent); color: var(--text); }

.body { position: relative; flex: 1; min-block-size: 0; display: flex; flex-direction: column; }
.status { padding: 8px 16px; background: var(--warn); color: var(--on-warn); font-size: 13px; text-align: center; }
.scroller { flex: 1; overflow-y: auto; overscroll-behavior: contain; padding: 16px 14px 8px; scrollbar-width: thin; scrollbar-color: var(--line) transparent; }
.scroller:focus-visible { outline-offset: -3px; }
.welcome { margin: 8px auto 18px; max-inline-size: 30ch; text-align: center; color: var(--muted); font-size: 13.5px; }
.welcome strong { display: block; margin-block-end: 4px; color: var(--text); font-size: 18px; font-weight: 650; }
.earlier { display: block; margin: 0 auto 12px; padding: 5px 14px; border-radius: 99px; background: var(--raised); border: 1px solid var(--line); color: var(--muted); font-size: 13px; }
.below {
  position: absolute; inset-block-end: 10px; inset-inline: 0; margin-inline: auto; inline-size: fit-content; display: flex; align-items: center; gap: 6px;
  padding: 6px 14px 6px 10px; border-radius: 99px; background: var(--fill); color: var(--on-fill); font-size: 13px; font-weight: 550; box-shadow: var(--shadow);
}

.log { display: flex; flex-direction: column; gap: 3px; }
.day { align-self: center; margin: 14px 0 10px; padding: 2px 12px; border-radius: 99px; background: color-mix(in srgb, var(--muted) 12%, transparent); color: var(--muted); font-size: 12px; font-weight: 550; }
.day:first-child { margin-block-start: 0; }
.row { position: relative; display: flex; flex-direction: column; align-items: flex-start; gap: 3px; max-inline-size: 86%; align-self: flex-start; animation: arrive .18s ease-out; }
@keyframes arrive { from { opacity: 0; transform: translateY(6px); } }
.row.mine { align-self: flex-end; align-items: flex-end; }
.row[data-last] { margin-block-end: 8px; }
.author { display: none; margin: 4px 4px 0; color: var(--muted); font-size: 12px; font-weight: 600; }
.row[data-first] .author { display: block; }
.bubble {
  padding: 8px 13px; border-radius: 18px; background: var(--theirs); border: 1px solid var(--line); max-inline-size: 100%;
  white-space: pre-wrap; overflow-wrap: anywhere; line-break: auto; text-align: start;
}
.mine .bubble { background: var(--fill); border-color: transparent; color: var(--on-fill); }
.theirs:not([data-last]) .bubble { border-end-start-radius: 7px; }
.theirs:not([data-first]) .bubble { border-start-start-radius: 7px; }
.mine:not([data-last]) .bubble { border-end-end-radius: 7px; }
.mine:not([data-first]) .bubble { border-start-end-radius: 7px; }
.bubble a { text-underline-offset: 2px; overflow-wrap: anywhere; }
.bubble.quiet { font-style: italic; color: var(--muted); }
[data-state="waiting"] .bubble, [data-state="kept"] .bubble { opacity: .72; }
[data-state="failed"] .bubble { background: color-mix(in srgb, var(--danger) 12%, var(--surface)); color: var(--text); border-color: var(--danger); }
.meta { display: flex; align-items: center; gap: 8px; padding: 0 5px; color: var(--muted); font-size: 11.5px; line-height: 1.5; }
.row:not([data-last], [data-state="failed"], [data-state="waiting"], [data-state="kept"]) .meta { display: none; }
.when { display: inline-flex; align-items: center; gap: 4px; }
.state { display: inline-flex; }
.state .icon { inline-size: 15px; block-size: 15px; stroke-width: 2; }
[data-state="seen"] .state .icon-ticks { color: var(--accent); }
[data-state="failed"] .state, .mending > span { color: var(--danger); }
.mending { display: inline-flex; gap: 10px; font-size: 12.5px; }
.plain { color: var(--text); font-weight: 600; text-decoration: underline; text-underline-offset: 2px; }

.choices { display: flex; flex-direction: column; gap: 6px; align-items: flex-start; max-inline-size: 100%; }
.options { display: flex; flex-wrap: wrap; gap: 6px; }
[data-style="list"] .options { flex-direction: column; align-items: stretch; }
.row:not([data-newest]) [data-style="quick_replies"] .options { display: none; }
.option {
  display: inline-flex; flex-direction: column; align-items: flex-start; padding: 7px 14px; border-radius: 16px; text-align: start; text-decoration: none;
  border: 1.5px solid color-mix(in srgb, var(--accent) 55%, transparent); background: var(--surface); color: var(--accent); font-weight: 600; font-size: 14px;
  transition: background .15s;
}
a.option { flex-direction: row; align-items: center; gap: 6px; }
.option:hover { background: color-mix(in srgb, var(--accent) 10%, var(--surface)); }
.option small { color: var(--muted); font-weight: 400; font-size: 12.5px; }

.media { display: flex; flex-direction: column; gap: 3px; align-items: inherit; max-inline-size: 100%; }
.picture { display: block; overflow: hidden; inline-size: fit-content; max-inline-size: 250px; min-inline-size: 90px; min-block-size: 70px; border-radius: 16px; border: 1px solid var(--line); background: var(--raised); }
.picture img { display: block; max-inline-size: 100%; max-block-size: 260px; opacity: 0; transition: opacity .2s; }
.picture.loaded img { opacity: 1; }
.file { display: grid; grid-template-columns: auto 1fr; column-gap: 10px; align-items: center; padding: 9px 14px; border-radius: 16px; border: 1px solid var(--line); background: var(--raised); text-decoration: none; max-inline-size: 260px; }
.file .icon { grid-row: span 2; color: var(--accent); font-size: 18px; }
.file .name { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; font-weight: 550; font-size: 14px; }
.file .size { color: var(--muted); font-size: 12px; }

.growing { display: flex; margin-block: 3px 8px; max-inline-size: 86%; }
.growing .bubble::after { content: "▍"; color: var(--muted); animation: nod 1.2s infinite; }
.typing { display: inline-flex; gap: 4px; margin-block: 6px 4px; padding: 12px 14px; border-radius: 18px; background: var(--theirs); border: 1px solid var(--line); }
.typing i { inline-size: 6px; block-size: 6px; border-radius: 50%; background: var(--muted); animation: nod 1.2s infinite ease-in-out; }
.typing i:nth-child(2) { animation-delay: .15s; }
.typing i:nth-child(3) { animation-delay: .3s; }
@keyframes nod { 0%, 60%, 100% { opacity: .35; transform: none; } 30% { opacity: 1; transform: translateY(-3px); } }

.composer { padding: 10px 12px 12px; background: var(--surface); border-block-start: 1px solid var(--line); }
.field { display: flex; align-items: flex-end; gap: 4px; padding: 4px; border-radius: 20px; border: 1px solid var(--line); background: var(--ground); transition: border-color .15s, box-shadow .15s; }
.field:focus-within { border-color: var(--accent); box-shadow: 0 0 0 3px color-mix(in srgb, var(--accent) 18%, transparent); }
textarea { flex: 1; min-inline-size: 0; resize: none; border: 0; outline: none !important; background: none; padding: 8px 4px; line-height: 1.5; max-block-size: 132px; field-sizing: content; }
textarea:lang(km) { line-height: 1.6; }
textarea::placeholder { color: var(--muted); opacity: 1; }
.send { display: grid; place-items: center; inline-size: 40px; block-size: 40px; border-radius: 50%; background: var(--fill); color: var(--on-fill); flex: none; transition: opacity .15s, transform .15s; }
.send .icon { rotate: -90deg; }
.send:disabled { background: transparent; color: var(--muted); opacity: .6; cursor: default; }
.send:not(:disabled):active { transform: scale(.92); }
.count { display: block; padding: 2px 8px 0; color: var(--muted); font-size: 12px; }
.count:empty { display: none; }
.tray { display: flex; flex-wrap: wrap; gap: 6px; padding-block-end: 8px; }
.tray:empty { display: none; }
.chip { display: inline-flex; align-items: center; gap: 6px; max-inline-size: 100%; padding: 4px 4px 4px 10px; border-radius: 12px; background: var(--raised); border: 1px solid var(--line); font-size: 13px; }
.chip span { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
.chip button { display: grid; place-items: center; inline-size: 26px; block-size: 26px; border-radius: 8px; color: var(--muted); }
.chip[data-state="uploading"] { opacity: .65; }
.chip[data-state="failed"] { border-color: var(--danger); color: var(--danger); }
.chip[data-state="failed"] span { white-space: normal; }

@media (max-width: 30rem) {
  .open { inset: 0 !important; }
  .open .launcher { display: none; }
  .dialog { position: fixed; inset: 0; inline-size: 100%; block-size: 100dvh; border: 0; border-radius: 0; }
  textarea { font-size: 16px; }
  .composer { padding-block-end: max(12px, env(safe-area-inset-bottom)); }
}
@media (prefers-reduced-motion: reduce) {
  *, *::before, *::after { animation: none !important; transition: none !important; }
}
@media (forced-colors: active) {
  .launcher, .dialog, .bubble, .field, .option { border: 1px solid CanvasText; }
}
`;
