// The one script tag of a site: remembers which tag it was, then fetches the widget, one script more, from where it came itself.
{
  const script = document.currentScript;
  import(new URL("widget/main.js", script.src).href)
    .then((widget) => widget.start(script))
    .catch((error) => console.warn("Parley web chat could not start:", error));
}
