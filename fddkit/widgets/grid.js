// A sheet of images, one of which can be chosen by mouse or arrow keys. Standard widget protocol
// only (anywidget), so that it works in JupyterLab, Notebook 7, VS Code and Colab alike.
function render({ model, el }) {
  const frame = document.createElement("div");
  frame.className = "fddkit-grid";
  const names = document.createElement("div");
  names.className = "fddkit-grid-names";
  const sheet = document.createElement("div");
  sheet.className = "fddkit-grid-sheet";
  sheet.tabIndex = 0;
  sheet.setAttribute("role", "application");
  sheet.setAttribute("aria-roledescription", "grid of images");
  const picture = document.createElement("img");
  picture.draggable = false;
  const mark = document.createElement("div");
  mark.className = "fddkit-grid-mark";
  const spoken = document.createElement("div");
  spoken.className = "fddkit-grid-spoken";
  spoken.setAttribute("aria-live", "polite");
  sheet.append(picture, mark);
  frame.append(names, sheet, spoken);
  el.append(frame);

  let shown = null;
  function draw() {
    const bytes = model.get("png");
    if (!bytes || !bytes.byteLength) {
      frame.style.display = "none";
      return;
    }
    frame.style.display = "";
    const next = URL.createObjectURL(new Blob([bytes], { type: "image/png" }));
    const last = shown;
    shown = next;
    picture.onload = () => last && URL.revokeObjectURL(last);
    picture.src = next; // the old picture stays until the new one is there: no flicker
    picture.alt = model.get("alt");
    sheet.setAttribute("aria-label", model.get("alt"));
    sheet.style.width = `${model.get("columns") * model.get("cell")}px`;
    sheet.style.aspectRatio = `${model.get("columns")} / ${model.get("rows")}`;
    names.replaceChildren(
      ...model.get("names").map((name) => {
        const row = document.createElement("div");
        row.textContent = name;
        return row;
      }),
    );
    place();
  }
  function place() {
    const at = model.get("selected");
    const [rows, columns] = [model.get("rows"), model.get("columns")];
    mark.style.display = at >= 0 && at < rows * columns ? "" : "none";
    mark.style.left = `${(100 * (at % columns)) / columns}%`;
    mark.style.top = `${(100 * Math.floor(at / columns)) / rows}%`;
    mark.style.width = `${100 / columns}%`;
    mark.style.height = `${100 / rows}%`;
  }
  function choose(at) {
    const count = model.get("rows") * model.get("columns");
    model.set("selected", Math.max(0, Math.min(count - 1, at)));
    model.save_changes();
  }
  sheet.addEventListener("click", (event) => {
    const box = sheet.getBoundingClientRect();
    const column = Math.floor(((event.clientX - box.left) / box.width) * model.get("columns"));
    const row = Math.floor(((event.clientY - box.top) / box.height) * model.get("rows"));
    choose(row * model.get("columns") + Math.min(column, model.get("columns") - 1));
  });
  sheet.addEventListener("keydown", (event) => {
    const columns = model.get("columns");
    const at = model.get("selected");
    const steps = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns };
    if (event.key in steps) choose(at < 0 ? 0 : at + steps[event.key]);
    else if (event.key === "Home") choose(0);
    else if (event.key === "End") choose(model.get("rows") * columns - 1);
    else return;
    event.preventDefault(); // or the notebook would move to the next cell
    event.stopPropagation();
  });

  for (const name of ["png", "rows", "columns", "cell", "names", "alt"]) {
    model.on(`change:${name}`, draw);
  }
  model.on("change:selected", place);
  model.on("change:spoken", () => (spoken.textContent = model.get("spoken")));
  draw();
  keepKeys(el);
  return () => shown && URL.revokeObjectURL(shown);
}

// JupyterLab and Notebook take arrow keys and Enter for themselves unless the focused element asks
// them not to. So every control beside this grid asks, and the keyboard moves sliders and menus.
// Front ends without such shortcuts ignore the attribute.
function keepKeys(el) {
  if (!el.isConnected) {
    requestAnimationFrame(() => keepKeys(el));
    return;
  }
  const all = el.closest(".jp-OutputArea-output, .output_area, .cell-output") ?? el;
  if (all.dataset.fddkitKeys) return;
  all.dataset.fddkitKeys = "kept";
  all.addEventListener("focusin", ({ target }) => {
    target.dataset.lmSuppressShortcuts = "true";
  });
}
export default { render };
