/** A part of the picture that is drawn once and put down again for as long as nothing in it changes. */
export class Layer {
  private readonly sheet = document.createElement("canvas");
  private of: readonly unknown[] = [];

  /** Puts the part onto a stage of so many pixels of the page; `of` is all that it depends on, in order. */
  put(pen: CanvasRenderingContext2D, width: number, height: number, of: readonly unknown[], draw: (pen: CanvasRenderingContext2D) => void): void {
    const [wide, high] = [pen.canvas.width, pen.canvas.height];
    const isKept = this.sheet.width === wide && this.sheet.height === high && of.length === this.of.length && of.every((each, at) => each === this.of[at]);
    if (!isKept) {
      [this.sheet.width, this.sheet.height] = [wide, high]; // which wipes it
      const own = this.sheet.getContext("2d");
      if (!own) return;
      own.setTransform(wide / (width || 1), 0, 0, high / (height || 1), 0, 0);
      draw(own);
      this.of = of;
    }
    pen.drawImage(this.sheet, 0, 0, width, height);
  }
}

/** Tells whether nodes were put elsewhere, which happens in place. */
export function placed(x: Float32Array, y: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < x.length; i++) sum = (sum * 31 + x[i]! * 7 + y[i]!) % 1e12;
  return sum;
}
