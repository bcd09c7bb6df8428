//! Tables: columns as wide as their widest cell, two spaces or more between them.

/// Draws `rows` under `heading`, or without a heading.
pub fn draw(heading: Option<&[&str]>, rows: &[Vec<String>]) -> String {
    let mut widths: Vec<usize> = Vec::new();
    let heads: Vec<String> = heading.unwrap_or_default().iter().map(ToString::to_string).collect();
    for row in rows.iter().chain([&heads]) {
        widths.resize(widths.len().max(row.len()), 0);
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut drawn = String::new();
    for row in heading.map(|_| &heads).into_iter().chain(rows) {
        let last = row.len().saturating_sub(1);
        for (place, (cell, width)) in row.iter().zip(&widths).enumerate() {
            drawn.push_str(cell);
            if place < last {
                drawn.extend(std::iter::repeat_n(' ', width + 2 - cell.chars().count()));
            }
        }
        drawn.push('\n');
    }
    drawn
}
