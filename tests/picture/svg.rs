//! The picture: a window with a title and the screen's rows.

use crate::cell::Run;
use crate::sgr::{Colour, Palette, Style};
use std::fmt::Write;

/// The size of a cell, and of the frame around all, in pixels.
const CELL: (f64, f64) = (8.4, 18.0);
const MARGIN: f64 = 14.0;
const BAR: f64 = 30.0;

/// An SVG document.
#[allow(clippy::cast_precision_loss)] // columns and rows of a screen
pub(crate) fn picture(rows: &[Vec<Run>], title: &str, palette: &Palette) -> String {
    let Palette { ink, paper, .. } = palette;
    let columns = rows.iter().flatten().map(|run| run.column + run.width).max().unwrap_or(1);
    let (width, height) =
        (columns as f64 * CELL.0 + 2.0 * MARGIN, rows.len() as f64 * CELL.1 + 2.0 * MARGIN + BAR);
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" viewBox=\"0 0 {width:.0} {height:.0}\" role=\"img\">\n\
         <title>{title}</title>\n\
         <rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"{paper}\"/>\n\
         <g fill=\"#4c566a\"><circle cx=\"20\" cy=\"18\" r=\"5\"/><circle cx=\"38\" cy=\"18\" r=\"5\"/><circle cx=\"56\" cy=\"18\" r=\"5\"/></g>\n\
         <g font-family=\"DejaVu Sans Mono, Menlo, Consolas, monospace\" font-size=\"14\" fill=\"{ink}\">\n\
         <text x=\"{:.0}\" y=\"22\" text-anchor=\"middle\" font-size=\"12\" fill=\"#8a93a5\">{}</text>\n",
        width / 2.0,
        escaped(title),
        title = escaped(title),
    );
    for (number, row) in rows.iter().enumerate() {
        for run in row {
            draw(&mut out, run, number as f64 * CELL.1 + MARGIN + BAR, palette);
        }
    }
    out.push_str("</g>\n</svg>\n");
    out
}

#[allow(clippy::cast_precision_loss)]
fn draw(out: &mut String, run: &Run, top: f64, palette: &Palette) {
    let Style { fg, bg, bold, dim, underline, reverse } = run.style;
    let (left, width) = (run.column as f64 * CELL.0 + MARGIN, run.width as f64 * CELL.0);
    let hex = |colour: Option<Colour>, none: &str| colour.map_or_else(|| none.to_owned(), |c| c.hex(palette));
    let (fg, bg) = (hex(fg, palette.ink), hex(bg, palette.paper));
    let (ink, paper) = if reverse { (bg, fg) } else { (fg, bg) };
    if paper != palette.paper {
        let _ = writeln!(
            out,
            "<rect x=\"{left:.1}\" y=\"{top:.1}\" width=\"{width:.1}\" height=\"{:.1}\" fill=\"{paper}\"/>",
            CELL.1
        );
    }
    if run.text.trim().is_empty() {
        return;
    }
    let mut more = String::new();
    for (on, attribute) in [
        (ink != palette.ink, format!(" fill=\"{ink}\"")),
        (bold, " font-weight=\"bold\"".to_owned()),
        (dim, " opacity=\"0.6\"".to_owned()),
        (underline, " text-decoration=\"underline\"".to_owned()),
    ] {
        if on {
            more.push_str(&attribute);
        }
    }
    let _ = writeln!(
        out,
        "<text x=\"{left:.1}\" y=\"{:.1}\" textLength=\"{width:.1}\" lengthAdjust=\"spacingAndGlyphs\" xml:space=\"preserve\"{more}>{}</text>",
        top + 13.5,
        escaped(&run.text)
    );
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
