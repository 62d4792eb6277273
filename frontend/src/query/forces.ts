/** Places for a small network: ties pull, nodes push apart. The same places each time for the same network. */
export function placed(
  n: number,
  ties: readonly (readonly [number, number])[],
  width: number,
  height: number,
): [number, number][] {
  // A sunflower to begin with: no two nodes at one place, and nothing drawn at random.
  const x = Float64Array.from({ length: n }, (_, i) => Math.sqrt(i + 0.5) * Math.cos(2.399963 * i));
  const y = Float64Array.from({ length: n }, (_, i) => Math.sqrt(i + 0.5) * Math.sin(2.399963 * i));
  const rounds = n > 200 ? 60 : 200;
  for (let round = 0; round < rounds; round++) {
    const heat = 1 - round / rounds;
    const dx = new Float64Array(n);
    const dy = new Float64Array(n);
    for (let i = 0; i < n; i++) {
      const [ox, oy] = [x[i]!, y[i]!];
      let [pushedX, pushedY] = [dx[i]! - 0.02 * ox, dy[i]! - 0.02 * oy];
      // The most of the time goes by here: numbers of its own, and no pairs.
      for (let j = i + 1; j < n; j++) {
        const ax = ox - x[j]!;
        const ay = oy - y[j]!;
        const push = 1 / (ax * ax + ay * ay + 0.01);
        pushedX += ax * push;
        pushedY += ay * push;
        dx[j]! -= ax * push;
        dy[j]! -= ay * push;
      }
      dx[i] = pushedX;
      dy[i] = pushedY;
    }
    for (const [i, j] of ties) {
      const [ax, ay] = [x[i]! - x[j]!, y[i]! - y[j]!];
      const pull = 0.3 * Math.hypot(ax, ay);
      dx[i]! -= ax * pull;
      dy[i]! -= ay * pull;
      dx[j]! += ax * pull;
      dy[j]! += ay * pull;
    }
    for (let i = 0; i < n; i++) {
      const length = Math.hypot(dx[i]!, dy[i]!) || 1;
      const step = Math.min(length, 0.6 * heat + 0.01) / length;
      x[i]! += dx[i]! * step;
      y[i]! += dy[i]! * step;
    }
  }
  const span = (values: Float64Array) => {
    const [low, high] = [Math.min(...values), Math.max(...values)];
    return [low, high - low || 1] as const;
  };
  const [[left, wide], [top, high]] = [span(x), span(y)];
  return Array.from({ length: n }, (_, i) => [
    Math.round(60 + ((width - 120) * (x[i]! - left)) / wide),
    Math.round(30 + ((height - 80) * (y[i]! - top)) / high),
  ]);
}
