//! Tables that sort and filter, where scripts run; plain tables where they do not.

use maud::{Markup, html};

/// Rows from which a table is shown only when asked for.
const LONG: usize = 100;

/// Rows from which a table has a box to filter by.
const MANY: usize = 8;

/// A column.
pub(super) struct Column {
    name: &'static str,
    number: bool,
}

impl Column {
    /// A column of words.
    pub(super) fn words(name: &'static str) -> Self {
        Self {
            name,
            number: false,
        }
    }

    /// A column of numbers, which stand to the right and sort by value.
    pub(super) fn numbers(name: &'static str) -> Self {
        Self { name, number: true }
    }
}

/// A cell.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Cell {
    text: String,
    /// What it sorts by.
    value: Option<f64>,
    /// A place on the page that it leads to.
    link: Option<String>,
}

impl Cell {
    /// Words.
    pub(super) fn text(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            value: None,
            link: None,
        }
    }

    /// A figure as it is written, with what it sorts by.
    pub(super) fn figure(value: f64, text: impl Into<String>) -> Self {
        Self {
            value: Some(value),
            ..Self::text(text)
        }
    }

    /// A figure that may lack.
    pub(super) fn maybe(value: Option<f64>, text: impl FnOnce(f64) -> String) -> Self {
        value.map_or_else(|| Self::text("–"), |value| Self::figure(value, text(value)))
    }

    /// The same, leading to a card.
    pub(super) fn to(self, id: String) -> Self {
        Self {
            link: Some(format!("#{id}")),
            ..self
        }
    }
}

/// A table with its caption; a long one is shown when asked for.
pub(super) fn table(caption: &str, columns: &[Column], rows: &[Vec<Cell>]) -> Markup {
    let whole = html! {
        div.sortable {
            @if rows.len() >= MANY {
                p.filter hidden {
                    label { "Show rows with " input type="search" autocomplete="off"; }
                    " " output {}
                }
            }
            div.scroll tabindex="0" role="region" aria-label=(caption) {
                table {
                    caption { (caption) }
                    thead { tr {
                        @for column in columns {
                            th scope="col" class=[column.number.then_some("number")] { (column.name) }
                        }
                    } }
                    tbody {
                        @for row in rows { (line(row, columns)) }
                    }
                }
            }
        }
    };
    html! {
        @if rows.len() > LONG {
            details {
                summary { "Show all " (super::words::count(rows.len())) " rows" }
                (whole)
            }
        } @else {
            (whole)
        }
    }
}

fn line(row: &[Cell], columns: &[Column]) -> Markup {
    let cells = || row.iter().zip(columns).enumerate();
    html! {
        tr {
            @for (at, (cell, column)) in cells() {
                @let class = column.number.then_some("number");
                @if at == 0 {
                    th scope="row" class=[class] data-v=[cell.value] { (content(cell)) }
                } @else {
                    td class=[class] data-v=[cell.value] { (content(cell)) }
                }
            }
        }
    }
}

fn content(cell: &Cell) -> Markup {
    html! {
        @match &cell.link {
            Some(link) => a href=(link) { bdi { (cell.text) } },
            None => bdi { (cell.text) },
        }
    }
}
