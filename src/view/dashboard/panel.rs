//! The panels at the left, and the places of everything on the screen.
//!
//! Pure: sizes in, places out. From 100 columns on, the selection is shown on the right side; in narrower terminals
//! it replaces the panels when it is opened. Below 18 rows there is one panel at a time.

use ratatui::layout::Rect;

/// From this width on, the right side is always visible.
pub(super) const WIDE: u16 = 100;

/// Below this height there is one panel at a time.
const TALL: u16 = 18;

/// One of the lists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Panel {
    #[default]
    Agents,
    Threads,
    Leases,
    Tasks,
}

impl Panel {
    pub(super) const ALL: [Self; 4] = [Self::Agents, Self::Threads, Self::Leases, Self::Tasks];

    pub(super) fn title(self) -> &'static str {
        match self {
            Panel::Agents => "Agents",
            Panel::Threads => "Threads",
            Panel::Leases => "Leases",
            Panel::Tasks => "Tasks",
        }
    }

    /// The panel so many places on.
    pub(super) fn turned(self, by: usize) -> Self {
        Self::ALL[(self as usize + by) % Self::ALL.len()]
    }
}

/// The state on which the places depend.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    /// The panel that has the keys.
    pub(super) panel: Panel,
    /// The number of rows of each panel.
    pub(super) counts: [usize; 4],
    /// Whether the right side has the keys.
    pub(super) opened: bool,
    /// The width of the list that the person has chosen.
    pub(super) divided: Option<u16>,
}

/// The places of everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Places {
    pub(super) head: Rect,
    pub(super) foot: Rect,
    /// The visible panels, each with its title in the first row.
    pub(super) panels: Vec<(Panel, Rect)>,
    /// The right side, with its title in the first row.
    pub(super) right: Option<Rect>,
    /// The column between the two.
    pub(super) divider: Option<u16>,
}

impl Places {
    pub(super) fn of(area: Rect, shape: Shape) -> Self {
        let head = Rect { height: area.height.min(1), ..area };
        let foot =
            Rect { y: area.bottom().saturating_sub(1).max(area.y), height: area.height.min(1), ..area };
        let middle = Rect { y: area.y + head.height, height: area.height.saturating_sub(2), ..area };
        let mut places = Self { head, foot, ..Self::default() };
        let mut left = middle;
        if area.width >= WIDE {
            let usual = (area.width * 2 / 5).clamp(40, 72);
            left.width = shape.divided.unwrap_or(usual).clamp(24, area.width - 40);
            places.divider = Some(left.right());
            let x = left.right() + 1;
            places.right = Some(Rect { x, width: middle.right() - x, ..middle });
        } else if shape.opened {
            places.right = Some(middle);
            return places;
        }
        if area.height < TALL {
            places.panels.push((shape.panel, left));
            return places;
        }
        let mut y = left.y;
        for (panel, height) in Panel::ALL.into_iter().zip(heights(left.height, left.width, shape)) {
            places.panels.push((panel, Rect { y, height, ..left }));
            y += height;
        }
        places
    }
}

/// The number of lines per row of a panel at this width.
pub(super) fn lines_of(panel: Panel, columns: u16) -> u16 {
    if panel == Panel::Threads && columns < 60 { 2 } else { 1 }
}

/// The heights of the panels. Each gets its title and a row. The rest goes to the agents, then to the panel with the
/// keys, then to the others, as far as they need it; the threads get the remainder.
fn heights(total: u16, columns: u16, shape: Shape) -> [u16; 4] {
    let wants = Panel::ALL.map(|panel| {
        let rows = u16::try_from(shape.counts[panel as usize].clamp(1, 1000)).unwrap_or(1000);
        1 + rows * lines_of(panel, columns)
    });
    let mut heights = [2, 1 + lines_of(Panel::Threads, columns), 2, 2];
    let mut rest = total.saturating_sub(heights.iter().sum());
    let mut give = |panel: Panel, at_most: u16| {
        let got = (wants[panel as usize].min(at_most)).saturating_sub(heights[panel as usize]).min(rest);
        heights[panel as usize] += got;
        rest -= got;
    };
    give(Panel::Agents, total / 2);
    // A panel with many rows must not displace the others.
    give(shape.panel, total * 3 / 5);
    for panel in [Panel::Threads, Panel::Leases, Panel::Tasks] {
        give(panel, total / 3);
    }
    for panel in [Panel::Threads, Panel::Agents, Panel::Leases, Panel::Tasks] {
        give(panel, u16::MAX);
    }
    heights[Panel::Threads as usize] += rest;
    heights
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(width: u16, height: u16, opened: bool) -> Places {
        let shape = Shape { panel: Panel::Leases, counts: [12, 10_000, 3, 0], opened, divided: None };
        Places::of(Rect::new(0, 0, width, height), shape)
    }

    #[test]
    fn every_size_is_used_whole_and_nothing_overlaps() {
        for (width, height) in [(60, 15), (80, 20), (80, 24), (100, 30), (120, 40), (200, 60), (300, 80)] {
            let places = places(width, height, false);
            let (first, last) = (places.panels[0].1, places.panels[places.panels.len() - 1].1);
            assert_eq!((first.y, last.bottom()), (1, height - 1), "{width}x{height}");
            for pair in places.panels.windows(2) {
                assert_eq!(pair[0].1.bottom(), pair[1].1.y, "{width}x{height}");
            }
            assert!(places.panels.iter().all(|(_, area)| area.height >= 2), "{places:?}");
            match places.right {
                Some(right) => assert_eq!((right.x, right.right()), (first.right() + 1, width)),
                None => assert!(width < WIDE && first.width == width),
            }
        }
    }

    #[test]
    fn a_small_screen_shows_one_thing_at_a_time() {
        assert_eq!(places(80, 15, false).panels.len(), 1);
        let opened = places(80, 24, true);
        assert!(opened.panels.is_empty() && opened.right == Some(Rect::new(0, 1, 80, 22)));
        // Nothing fits, but nothing fails.
        for (width, height) in [(0, 0), (1, 1), (10, 2), (100, 2)] {
            places(width, height, false);
            places(width, height, true);
        }
    }
}
