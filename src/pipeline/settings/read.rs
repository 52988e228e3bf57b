//! Settings from a TOML file and `--set section.key=value`.

use std::path::Path;

use super::{Settings, SettingsError};
use crate::io;

impl Settings {
    /// Reads a settings file (none means the defaults) and applies `section.key=value` texts.
    ///
    /// A value is read as TOML and, where that fails, as plain text. Ranges are not checked yet: flags
    /// may still change what stands here.
    ///
    /// # Errors
    ///
    /// [`SettingsError`], naming the file with line and column, or the option.
    pub fn read(file: Option<&Path>, assignments: &[String]) -> Result<Self, SettingsError> {
        let (origin, text) = match file {
            Some(path) => (path.display().to_string(), io::read_to_string(path)?),
            None => ("the defaults".to_owned(), String::new()),
        };
        let refused = |origin: &str, source| SettingsError::Parse {
            origin: origin.to_owned(),
            source: Box::new(source),
        };
        // Once with positions, for messages that name line and column.
        toml::from_str::<Self>(&text).map_err(|source| refused(&origin, source))?;
        let mut table: toml::Table = toml::from_str(&text).map_err(|e| refused(&origin, e))?;
        for assignment in assignments {
            assign(&mut table, assignment)?;
        }
        table
            .try_into()
            .map_err(|source| refused("--set options", source))
    }
}

fn assign(table: &mut toml::Table, text: &str) -> Result<(), SettingsError> {
    let bad = || SettingsError::Assignment {
        text: text.to_owned(),
    };
    let (key, value) = text.split_once('=').ok_or_else(bad)?;
    let parsed = toml::from_str::<toml::Table>(&format!("value = {value}"))
        .ok()
        .and_then(|mut t| t.remove("value"))
        .unwrap_or_else(|| toml::Value::String(value.to_owned()));
    let mut parts: Vec<&str> = key.trim().split('.').collect();
    let last = parts
        .pop()
        .filter(|part| !part.is_empty())
        .ok_or_else(bad)?;
    let mut place = table;
    for part in parts {
        place = place
            .entry(part)
            .or_insert_with(|| toml::Value::Table(toml::Table::new()))
            .as_table_mut()
            .ok_or_else(bad)?;
    }
    place.insert(last.to_owned(), parsed);
    Ok(())
}
