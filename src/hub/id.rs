//! `org/name`, `org/name@revision`: how a model on the hub is named.

use std::fmt::{self, Display};

use super::HubError;

/// The longest name that the hub takes.
const LONGEST: usize = 96;

/// A model repository at a revision, and a file in it where one was named.
///
/// The parts are checked: they are safe as parts of a path and of a URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Id {
    name: String,
    /// None where the text did not say.
    revision: Option<String>,
    file: Option<String>,
}

impl Id {
    /// Reads `[hf:][org/]name[@revision][:file]`; the revision (branch, tag or commit) is `main`
    /// where none is given.
    ///
    /// # Errors
    ///
    /// [`HubError::BadId`] with what is wrong.
    ///
    /// # Source
    ///
    /// The name's rules are `validate_repo_id` of `huggingface_hub` 2.4 (`utils/_validators.py`).
    ///
    /// # Examples
    ///
    /// ```
    /// let id = hardlight::hub::Id::parse("stabilityai/sd-turbo@refs/pr/3")?;
    /// assert_eq!((id.name(), id.revision()), ("stabilityai/sd-turbo", "refs/pr/3"));
    /// # Ok::<(), hardlight::hub::HubError>(())
    /// ```
    pub fn parse(text: &str) -> Result<Self, HubError> {
        let bad = |reason| HubError::BadId {
            text: text.to_owned(),
            reason,
        };
        let rest = text.strip_prefix("hf:").unwrap_or(text);
        let (rest, file) = match rest.split_once(':') {
            Some((rest, file)) => (rest, Some(file)),
            None => (rest, None),
        };
        let (name, revision) = match rest.split_once('@') {
            Some((name, revision)) => (name, Some(revision)),
            None => (rest, None),
        };
        check_name(name).map_err(bad)?;
        if !revision.is_none_or(is_revision) {
            return Err(bad("the revision after @ is no branch, tag or commit"));
        }
        if file.is_some_and(|file| !is_file_name(file)) {
            return Err(bad("the file after : is no path inside a repository"));
        }
        Ok(Self {
            name: name.to_owned(),
            revision: revision.map(str::to_owned),
            file: file.map(str::to_owned),
        })
    }

    /// Whether a text that is no existing path means a model on the hub: it begins with `hf:`, or
    /// it has the shape `org/name`. Any other text is left to be a path.
    ///
    /// # Errors
    ///
    /// [`HubError::BadId`] if `hf:` is followed by what is no id.
    pub fn in_place_of_a_path(text: &str) -> Result<Option<Self>, HubError> {
        if text.starts_with("hf:") {
            return Self::parse(text).map(Some);
        }
        let name = text.split(['@', ':']).next().unwrap_or_default();
        if name.matches('/').count() == 1 {
            Ok(Self::parse(text).ok())
        } else {
            Ok(None)
        }
    }

    /// The same repository at a revision given apart from the id.
    ///
    /// # Errors
    ///
    /// [`HubError::BadId`], also where the id names another.
    pub fn at(self, revision: &str) -> Result<Self, HubError> {
        let bad = |text, reason| Err(HubError::BadId { text, reason });
        if let Some(own) = self.revision.as_ref().filter(|own| *own != revision) {
            let text = format!("{}@{own} at revision {revision}", self.name);
            return bad(text, "two revisions are given: leave one out");
        }
        if !is_revision(revision) {
            let text = format!("{}@{revision}", self.name);
            return bad(text, "the revision after @ is no branch, tag or commit");
        }
        let revision = Some(revision.to_owned());
        Ok(Self { revision, ..self })
    }

    /// `org/name`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Branch, tag or commit.
    pub fn revision(&self) -> &str {
        self.revision.as_deref().unwrap_or("main")
    }

    /// The file that was named.
    pub fn file(&self) -> Option<&str> {
        self.file.as_deref()
    }
}

impl Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.name)?;
        if self.revision() != "main" {
            write!(f, "@{}", self.revision())?;
        }
        self.file.iter().try_for_each(|file| write!(f, ":{file}"))
    }
}

fn check_name(name: &str) -> Result<(), &'static str> {
    if name.len() > LONGEST {
        return Err("the name has more than 96 characters");
    }
    let parts: Vec<&str> = name.split('/').collect();
    if parts.len() > 2 || parts.iter().any(|part| part.is_empty()) {
        return Err("expected org/name");
    }
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if !name.chars().all(|c| legal(c) || c == '/') {
        return Err("a name has only letters, digits, - _ and .");
    }
    let ends = |part: &&str| part.starts_with(['-', '.']) || part.ends_with(['-', '.']);
    if parts.iter().any(ends) || name.contains("--") || name.contains("..") {
        return Err("no part of a name begins or ends with - or ., or has -- or .. in it");
    }
    if name.to_ascii_lowercase().ends_with(".git") {
        return Err("a name does not end in .git");
    }
    Ok(())
}

/// Whether git would take it as a reference, and the cache as a path below `refs/`.
fn is_revision(text: &str) -> bool {
    let illegal = |c: char| c.is_whitespace() || c.is_control() || r#"\:?*[~^"<>|@"#.contains(c);
    !text.contains(illegal)
        && !text.contains("..")
        && text
            .split('/')
            .all(|part| !part.is_empty() && !part.starts_with('.'))
}

/// Whether a file of a repository can be written below a folder without leaving it.
pub(super) fn is_file_name(name: &str) -> bool {
    !name.contains(|c: char| c.is_control() || c == '\\' || c == ':')
        && name.split('/').all(|part| !matches!(part, "" | "." | ".."))
}

/// Whether a text is a whole git commit hash.
pub(super) fn is_commit(text: &str) -> bool {
    text.len() == 40 && is_hex(text)
}

/// Whether a text has only lower-case hexadecimal digits.
pub(super) fn is_hex(text: &str) -> bool {
    text.bytes()
        .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_told_from_paths() {
        let id = |text| Id::in_place_of_a_path(text).unwrap();
        for path in [
            "clip", "./clip", "../clip", "/a/b", "a/b/c", "a/", "/a", ".a/b", "a/b.", "~/b",
            "a b/c", "a/b--c", "a/b@", "a/b@../x", r"a\b", "",
        ] {
            assert_eq!(id(path), None, "{path}");
        }
        for name in ["a/b", "openai/clip-vit-large-patch14", "a_.b/c-D.1"] {
            assert_eq!(id(name).unwrap().name(), name);
            assert_eq!(id(name).unwrap().revision(), "main");
        }
        assert_eq!(id("hf:gpt2").unwrap().name(), "gpt2");
        let lora = id("a/b@v1.0:sub/x.safetensors").unwrap();
        assert_eq!(
            (lora.name(), lora.revision(), lora.file()),
            ("a/b", "v1.0", Some("sub/x.safetensors"))
        );
        assert_eq!(lora.to_string(), "a/b@v1.0:sub/x.safetensors");
    }

    #[test]
    fn what_is_no_id_is_refused_with_a_reason() {
        for text in [
            "hf:",
            "hf:a//b",
            "hf:a/b/c",
            "hf:a/b.git",
            "hf:-a/b",
            "hf:a/b@x y",
            "hf:a/b@..",
            "hf:a/b:../x",
            "hf:a/b:/x",
            "hf:é/b",
        ] {
            let error = Id::in_place_of_a_path(text).unwrap_err();
            assert!(matches!(error, HubError::BadId { .. }), "{text}: {error}");
        }
        assert!(Id::parse(&"a".repeat(97)).is_err());
        assert!(Id::parse("a/b").unwrap().at("../../x").is_err());
    }
}
