//! Reports for scripts: one JSON object a line.

use std::fmt::Display;
use std::io::Write;

use serde_json::{Value, json};

use super::{Reporter, StageInfo};

/// Writes an object a line, with the key `event`: `note`, `info`, `warning` (each with `text`), `begin`
/// (`stage`, `total`, `unit`), `resumed` (`done`), `progress` (`done`, `message`), `end`, `abandoned`.
///
/// A line that cannot be written is dropped: a script that stops listening stops no run.
#[derive(Debug)]
pub struct JsonLines<W: Write> {
    out: W,
}

impl<W: Write> JsonLines<W> {
    /// Writes to `out`, a flush a line.
    pub fn new(out: W) -> Self {
        Self { out }
    }

    /// The writer.
    pub fn into_inner(self) -> W {
        self.out
    }

    fn line(&mut self, value: &Value) {
        let _ = writeln!(self.out, "{value}").and_then(|()| self.out.flush());
    }

    fn text(&mut self, event: &str, text: &dyn Display) {
        self.line(&json!({"event": event, "text": text.to_string()}));
    }
}

impl<W: Write> Reporter for JsonLines<W> {
    fn note(&mut self, text: &dyn Display) {
        self.text("note", text);
    }

    fn info(&mut self, text: &dyn Display) {
        self.text("info", text);
    }

    fn warn(&mut self, text: &dyn Display) {
        self.text("warning", text);
    }

    fn begin(&mut self, stage: &StageInfo<'_>) {
        let StageInfo { name, total, unit } = stage;
        self.line(&json!({"event": "begin", "stage": name, "total": total, "unit": unit}));
    }

    fn resumed_from(&mut self, done: usize) {
        self.line(&json!({"event": "resumed", "done": done}));
    }

    fn progress(&mut self, done: usize, message: &str) {
        self.line(&json!({"event": "progress", "done": done, "message": message}));
    }

    fn end(&mut self) {
        self.line(&json!({"event": "end"}));
    }

    fn abandon(&mut self) {
        self.line(&json!({"event": "abandoned"}));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::Stage;
    use super::{JsonLines, Reporter as _};

    #[test]
    fn every_event_is_an_object_on_a_line() {
        let mut lines = JsonLines::new(Vec::new());
        lines.warn(&"two\nlines");
        let mut stage = Stage::begin(&mut lines, "images", 2, "kept");
        stage.resumed_from(1);
        stage.set(2, "(old)");
        stage.end();
        let text = String::from_utf8(lines.into_inner()).unwrap();
        let events: Vec<Value> = text
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect();
        assert_eq!(
            events,
            [
                json!({"event": "warning", "text": "two\nlines"}),
                json!({"event": "begin", "stage": "images", "total": 2, "unit": "kept"}),
                json!({"event": "resumed", "done": 1}),
                json!({"event": "progress", "done": 2, "message": "(old)"}),
                json!({"event": "end"}),
            ]
        );
    }
}
