// Which pane is shown where there is no room for all of them.

export function createSwitch() {
  const desk = document.getElementById("desk");
  const buttons = [...document.querySelectorAll(".switch [data-view]")];

  function show(view) {
    desk.dataset.view = view;
    for (const button of buttons) button.setAttribute("aria-pressed", String(button.dataset.view === view));
  }

  for (const button of buttons) button.addEventListener("click", () => show(button.dataset.view));
  show("conversations");
  return show;
}
