//! Where things are on the screen.

use ratatui::layout::Rect;

/// The row of the first board: behind the title and the heads of the columns.
pub(super) const LIST_TOP: u16 = 2;
/// Rows at the bottom: what came of the last thing, and what the keys do.
pub(super) const FOOT: u16 = 1;
/// A cell of a terminal is about twice as high as wide, and a console is a bit wider than high.
const SHAPE: f64 = 80.0 / 24.0;

/// The largest screen that is drawn, in columns and rows: what a client says of its window costs no more.
const MOST: (u16, u16) = (500, 200);

/// The part of a terminal of so many columns and rows that is drawn on.
pub(super) fn bounded((columns, rows): (u16, u16)) -> (u16, u16) {
    (columns.clamp(1, MOST.0), rows.clamp(1, MOST.1))
}

/// How many boards there is room for on a screen of so many columns and rows.
pub(super) fn list_rows((_, rows): (u16, u16)) -> usize {
    rows.saturating_sub(LIST_TOP + FOOT).max(1).into()
}

/// Where each of some consoles is, its title included; `None` for those that are behind the one that is
/// zoomed. Between two beside each other there is a column for a line.
pub(super) fn panes(
    (columns, rows): (u16, u16),
    count: usize,
    focus: usize,
    zoom: bool,
) -> Vec<Option<Rect>> {
    let whole = Rect::new(0, 0, columns, rows.saturating_sub(FOOT).max(1));
    if count <= 1 || zoom {
        return (0..count).map(|at| (at == focus || count == 1).then_some(whole)).collect();
    }
    let across =
        (1..=count).min_by(|a, b| misfit(whole, count, *a).total_cmp(&misfit(whole, count, *b)));
    let across = across.unwrap_or(1);
    let down = count.div_ceil(across);
    let mut areas = Vec::with_capacity(count);
    for row in 0..down {
        // The last row has fewer, which are wider.
        let in_row = across.min(count - row * across);
        let (top, bottom) = (part(whole.height, row, down), part(whole.height, row + 1, down));
        for column in 0..in_row {
            let left = part(whole.width, column, in_row);
            let right = part(whole.width, column + 1, in_row);
            let line = u16::from(column + 1 < in_row);
            let width = (right - left).saturating_sub(line);
            areas.push(Some(Rect::new(left, top, width, bottom - top)));
        }
    }
    areas
}

/// How far consoles would be from their usual shape with so many beside each other.
fn misfit(whole: Rect, count: usize, across: usize) -> f64 {
    let down = count.div_ceil(across);
    let width = f64::from(whole.width) / across as f64;
    let height = (f64::from(whole.height) / down as f64 - 1.0).max(0.5);
    (width / height / SHAPE).ln().abs()
}

fn part(whole: u16, number: usize, of: usize) -> u16 {
    (usize::from(whole) * number / of) as u16
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn areas(columns: u16, rows: u16, count: usize) -> Vec<(u16, u16, u16, u16)> {
        let areas = panes((columns, rows), count, 0, false).into_iter().flatten();
        areas.map(|area| (area.x, area.y, area.width, area.height)).collect()
    }

    #[test]
    fn consoles_keep_their_shape() {
        assert_eq!(areas(80, 25, 1), [(0, 0, 80, 24)]);
        assert_eq!(areas(161, 25, 2), [(0, 0, 79, 24), (80, 0, 81, 24)]);
        assert_eq!(areas(80, 49, 2), [(0, 0, 80, 24), (0, 24, 80, 24)]);
        assert_eq!(areas(160, 49, 3), [(0, 0, 79, 24), (80, 0, 80, 24), (0, 24, 160, 24)]);
        assert_eq!(panes((80, 25), 3, 1, true), [None, Some(Rect::new(0, 0, 80, 24)), None]);
    }

    proptest! {
        #[test]
        fn nothing_overlaps_and_nothing_is_outside(columns in 1..400_u16, rows in 2..150_u16, count in 1..17_usize) {
            let areas = panes((columns, rows), count, 0, false);
            prop_assert_eq!(areas.len(), count);
            let areas: Vec<Rect> = areas.into_iter().flatten().collect();
            for (at, area) in areas.iter().enumerate() {
                prop_assert!(area.right() <= columns && area.bottom() < rows.max(2));
                for other in &areas[..at] {
                    prop_assert!(area.intersection(*other).area() == 0);
                }
            }
        }
    }
}
