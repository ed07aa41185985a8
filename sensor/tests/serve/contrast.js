(() => {
  // Contrast of each visible text with what is behind it (WCAG 2.2, 1.4.3), as computed by the browser.
  const parse = (text) => {
    const [r, g, b, a] = text.match(/[\d.]+/g).map(Number);
    return { rgb: [r, g, b], alpha: a === undefined ? 1 : a };
  };
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const color = parse(getComputedStyle(at).backgroundColor);
      if (color.alpha === 1) return color.rgb;
      if (color.alpha > 0) throw new Error(`half transparent: ${at.outerHTML.slice(0, 80)}`);
    }
    return parse(getComputedStyle(document.documentElement).backgroundColor).alpha === 1
      ? parse(getComputedStyle(document.documentElement).backgroundColor).rgb : [255, 255, 255];
  };
  const luminance = (rgb) => {
    const [r, g, b] = rgb.map((value) => value / 255).map((value) =>
      value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ratio = (a, b) => {
    const [light, dark] = [luminance(a), luminance(b)].sort((x, y) => y - x);
    return (light + 0.05) / (dark + 0.05);
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  let worst = { ratio: 21, text: "", checked: 0 };
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const element = node.parentElement;
    if (!node.data.trim() || !element.checkVisibility()) continue;
    const style = getComputedStyle(element);
    // Text of a picture is painted with its fill.
    const color = element instanceof SVGElement ? style.fill : style.color;
    const now = ratio(parse(color).rgb, behind(element));
    worst.checked += 1;
    if (now < worst.ratio) Object.assign(worst, { ratio: now, text: node.data.trim().slice(0, 60), color });
  }
  // Curves need 3 : 1 (1.4.11).
  for (const curve of document.querySelectorAll(".curve")) {
    if (!curve.checkVisibility()) continue;
    const now = ratio(parse(getComputedStyle(curve).stroke).rgb, behind(curve));
    if (now < 3) Object.assign(worst, { ratio: now, text: `curve ${curve.getAttribute("class")}` });
  }
  return worst;
})()
