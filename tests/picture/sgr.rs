//! Colours and attributes, as SGR sequences set them.

/// A colour: one of the terminal's own, or a mixed one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Colour {
    /// By its number: 0 to 255.
    Indexed(u8),
    /// By its parts.
    Rgb(u8, u8, u8),
}

/// How a character is drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Style {
    pub(crate) fg: Option<Colour>,
    pub(crate) bg: Option<Colour>,
    pub(crate) bold: bool,
    pub(crate) dim: bool,
    pub(crate) underline: bool,
    pub(crate) reverse: bool,
}

/// The colours of a terminal.
#[derive(Debug)]
pub(crate) struct Palette {
    pub(crate) ink: &'static str,
    pub(crate) paper: &'static str,
    /// The 16 base colours.
    base: [&'static str; 16],
}

/// A dark terminal.
pub(crate) const DARK: Palette = Palette {
    ink: "#d8dee9",
    paper: "#1e222a",
    base: [
        "#2e3440", "#d06c75", "#98c379", "#e5c07b", "#61afef", "#c678dd", "#56b6c2", "#c8ccd4", "#5c6370",
        "#e88388", "#b1d196", "#f0d399", "#8cc5f5", "#d7a1e8", "#7fcad3", "#ffffff",
    ],
};

/// A light one, with the colours that GNOME's terminal has.
pub(crate) const LIGHT: Palette = Palette {
    ink: "#2e3436",
    paper: "#ffffff",
    base: [
        "#2e3436", "#cc0000", "#4e9a06", "#c4a000", "#3465a4", "#75507b", "#06989a", "#d3d7cf", "#555753",
        "#ef2929", "#8ae234", "#fce94f", "#729fcf", "#ad7fa8", "#34e2e2", "#eeeeec",
    ],
};

impl Colour {
    /// As SVG wants it.
    pub(crate) fn hex(self, palette: &Palette) -> String {
        match self {
            Colour::Rgb(r, g, b) => format!("#{r:02x}{g:02x}{b:02x}"),
            Colour::Indexed(n) if n < 16 => palette.base[usize::from(n)].to_owned(),
            Colour::Indexed(n) if n >= 232 => {
                let v = 8 + 10 * (n - 232);
                format!("#{v:02x}{v:02x}{v:02x}")
            }
            Colour::Indexed(n) => {
                let level = |i: u8| if i == 0 { 0 } else { 55 + 40 * i };
                let n = n - 16;
                format!("#{:02x}{:02x}{:02x}", level(n / 36), level(n / 6 % 6), level(n % 6))
            }
        }
    }
}

impl Style {
    /// Applies the parameters of one sequence.
    pub(crate) fn apply(&mut self, parameters: &str) {
        let mut codes = parameters.split([';', ':']).map(|p| p.parse::<u8>().unwrap_or(0));
        while let Some(code) = codes.next() {
            match code {
                0 => *self = Self::default(),
                1 => self.bold = true,
                2 => self.dim = true,
                4 => self.underline = true,
                7 => self.reverse = true,
                22 => (self.bold, self.dim) = (false, false),
                24 => self.underline = false,
                27 => self.reverse = false,
                30..=37 => self.fg = Some(Colour::Indexed(code - 30)),
                90..=97 => self.fg = Some(Colour::Indexed(code - 82)),
                40..=47 => self.bg = Some(Colour::Indexed(code - 40)),
                100..=107 => self.bg = Some(Colour::Indexed(code - 92)),
                38 => self.fg = mixed(&mut codes),
                48 => self.bg = mixed(&mut codes),
                39 => self.fg = None,
                49 => self.bg = None,
                _ => {}
            }
        }
    }
}

fn mixed(codes: &mut impl Iterator<Item = u8>) -> Option<Colour> {
    match codes.next()? {
        5 => codes.next().map(Colour::Indexed),
        2 => Some(Colour::Rgb(codes.next()?, codes.next()?, codes.next()?)),
        _ => None,
    }
}
