//! Columns and sizes as people read them.

use crate::terminal;

/// Rows as lines, the columns beneath one another.
pub(crate) fn table(rows: &[Vec<String>]) -> Vec<String> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| terminal::columns(cell)).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths);
        let cells: Vec<String> = cells
            .map(|(cell, &width)| {
                let rest = width.saturating_sub(terminal::columns(cell));
                format!("{cell}{:rest$}", "")
            })
            .collect();
        cells.join("  ").trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

/// Bytes with the unit that fits.
#[expect(clippy::cast_precision_loss, reason = "shown with one decimal")]
pub(crate) fn size(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", bytes as f64 / 1e6),
        _ => format!("{:.1} GB", bytes as f64 / 1e9),
    }
}

/// `1 package`, `2 packages`.
pub(crate) fn count(number: usize, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_beneath_one_another() {
        let row = |cells: &[&str]| cells.iter().map(|cell| (*cell).to_owned()).collect();
        let rows: Vec<Vec<String>> = vec![row(&["zlib", "1.3"]), row(&["ä", "", "end"])];
        assert_eq!(table(&rows), ["zlib  1.3", "ä          end"]);
        let wide: Vec<Vec<String>> = vec![row(&["語", "a"]), row(&["abc", "b"])];
        assert_eq!(table(&wide), ["語   a", "abc  b"]);
        assert!(table(&[]).is_empty());
    }

    #[test]
    fn sizes_have_units() {
        assert_eq!(size(999), "999 B");
        assert_eq!(size(104_600), "104.6 kB");
        assert_eq!(size(4_300_000), "4.3 MB");
        assert_eq!(size(7_600_000_000), "7.6 GB");
        assert_eq!(
            (count(1, "package"), count(0, "package")),
            ("1 package".into(), "0 packages".into())
        );
    }
}
