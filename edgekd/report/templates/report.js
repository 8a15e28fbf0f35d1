"use strict";
(() => {
  const figures = JSON.parse(document.getElementById("figures").textContent);
  const PAPER_WIDTH = 960;
  const touch = matchMedia("(hover: none)").matches;

  // A colour is a CSS variable's name, so that the figure follows the page's palette.
  const paint = (value, colour) => {
    if (Array.isArray(value)) return value.map((item) => paint(item, colour));
    if (value === null || typeof value !== "object") return value;
    return Object.fromEntries(
      Object.entries(value).map(([key, item]) => {
        const named = typeof item === "string" && item.startsWith("--") && /color$/.test(key);
        return [key, named ? colour(item) : paint(item, colour)];
      }),
    );
  };

  const frame = (layout, colour, narrow) => {
    const axis = { gridcolor: colour("--grid"), linecolor: colour("--rule"), zeroline: false, automargin: true };
    const family = getComputedStyle(document.body).fontFamily;
    const size = narrow ? 11 : 12.5;
    const titled = (own) => ({ ...axis, ...own, title: { ...own.title, standoff: 14, font: { size } } });
    return {
      ...layout,
      // No room for a name beside its point: the ring and the number tell it.
      annotations: (layout.annotations || []).filter((note) => !narrow || note.showarrow === false),
      autosize: true,
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      font: { family, size, color: colour("--ink") },
      margin: { l: narrow ? 44 : 60, r: narrow ? 10 : 20, t: 10, b: 46 },
      xaxis: titled(layout.xaxis),
      yaxis: titled(layout.yaxis),
      showlegend: true,
      legend: { orientation: "h", x: 0, xanchor: "left", y: 1.02, yanchor: "bottom", itemsizing: "trace" },
      dragmode: touch ? false : "zoom",
      hoverlabel: {
        align: "left",
        namelength: -1,
        bgcolor: colour("--card"),
        bordercolor: colour("--muted"),
        font: { family, size, color: colour("--ink") },
      },
    };
  };

  const draw = (width) => {
    const style = getComputedStyle(document.documentElement);
    const colour = (name) => style.getPropertyValue(name).trim();
    for (const figure of figures) {
      const box = document.getElementById(figure.id);
      const layout = frame(paint(figure.layout, colour), colour, (width || box.clientWidth) < 560);
      if (width) Object.assign(layout, { width, autosize: false });
      const config = { responsive: !width, displaylogo: false, modeBarButtonsToRemove: ["select2d", "lasso2d"] };
      Plotly.react(box, paint(figure.data, colour), layout, { ...config, displayModeBar: touch ? false : "hover" });
    }
  };

  draw();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => draw());

  const closed = [];
  addEventListener("beforeprint", () => {
    document.documentElement.dataset.printing = "";
    for (const part of document.querySelectorAll("details:not([open])")) {
      closed.push(part);
      part.open = true;
    }
    draw(PAPER_WIDTH);
  });
  addEventListener("afterprint", () => {
    delete document.documentElement.dataset.printing;
    for (const part of closed.splice(0)) part.open = false;
    draw();
  });
})();
