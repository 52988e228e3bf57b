//! What the environment says about the hub, by the names that Python's `huggingface_hub` reads.

use std::env;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use super::HubError;
use crate::io::{self, IoError};

/// The hub itself.
const ENDPOINT: &str = "https://huggingface.co";

/// Seconds without a byte after which a connection counts as dead.
const TIMEOUT_SECS: u64 = 10;

/// An access token, which no message may show.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// A token without the white space around it; none if nothing is left.
    pub fn new(text: &str) -> Option<Self> {
        let text = text.replace(['\r', '\n'], "").trim().to_owned();
        (!text.is_empty()).then_some(Self(text))
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// Where models come from and where they are kept.
#[derive(Debug, Clone)]
pub struct Env {
    /// Folder of all cached repositories.
    pub cache: PathBuf,
    /// URL of the hub, without a slash at its end.
    pub endpoint: String,
    /// What is sent to the endpoint, and to no other host.
    pub token: Option<Token>,
    /// Whether the network is not to be used.
    pub offline: bool,
    /// Whether progress is shown.
    pub progress: bool,
    /// A connection without a byte for this long is given up.
    pub timeout: Duration,
    /// Whether `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY` are obeyed.
    pub proxy: bool,
    /// PEM file of the certificates to trust in place of Mozilla's.
    pub roots: Option<PathBuf>,
    /// How long to wait before each new attempt after a broken connection or a busy server. An
    /// attempt that brought bytes starts the count anew.
    pub pauses: Vec<Duration>,
}

impl Env {
    /// One without a token that keeps models in `cache`; everything else as with no variable set.
    pub fn new(cache: PathBuf) -> Self {
        Self {
            cache,
            endpoint: ENDPOINT.to_owned(),
            token: None,
            offline: false,
            progress: true,
            timeout: Duration::from_secs(TIMEOUT_SECS),
            proxy: true,
            roots: None,
            pauses: [1, 4].map(Duration::from_secs).to_vec(),
        }
    }

    /// That of this process.
    ///
    /// # Errors
    ///
    /// As [`Env::from_variables`].
    pub fn from_process() -> Result<Self, HubError> {
        Self::from_variables(&|name| env::var(name).ok())
    }

    /// Reads the variables, each by its name.
    ///
    /// - Cache: `HF_HUB_CACHE`, else `HUGGINGFACE_HUB_CACHE`, else `$HF_HOME/hub`, where `HF_HOME`
    ///   is `$XDG_CACHE_HOME/huggingface`, else `~/.cache/huggingface`.
    /// - Token: `HF_TOKEN`, else `HUGGING_FACE_HUB_TOKEN`, else what the file `HF_TOKEN_PATH`
    ///   (`$HF_HOME/token`) holds; none if `HF_HUB_DISABLE_IMPLICIT_TOKEN`.
    /// - `HF_ENDPOINT`; `HF_HUB_OFFLINE`, else `TRANSFORMERS_OFFLINE`;
    ///   `HF_HUB_DISABLE_PROGRESS_BARS`; `HF_HUB_DOWNLOAD_TIMEOUT`, seconds; `SSL_CERT_FILE`.
    ///
    /// True is 1, ON, YES or TRUE, in any case. A variable that is set to nothing counts as not
    /// set (Python takes an empty `HF_HOME` for the current folder).
    ///
    /// # Errors
    ///
    /// [`HubError::Setting`] for a timeout that is no number, [`HubError::Io`] for a token file
    /// that cannot be read.
    ///
    /// # Source
    ///
    /// `huggingface_hub` 2.4, `constants.py` and `utils/_auth.py`.
    pub fn from_variables(get: &dyn Fn(&str) -> Option<String>) -> Result<Self, HubError> {
        let get = |name: &str| get(name).filter(|value| !value.is_empty());
        let truth = |value: Option<String>| {
            let value = value.unwrap_or_default().to_ascii_uppercase();
            matches!(value.as_str(), "1" | "ON" | "YES" | "TRUE")
        };
        let path = |text: String| PathBuf::from(expand(&text, &get));
        let home = get("HF_HOME").map_or_else(
            || {
                let caches = get("XDG_CACHE_HOME").unwrap_or_else(|| "~/.cache".to_owned());
                path(caches).join("huggingface")
            },
            path,
        );
        let cache = get("HF_HUB_CACHE")
            .or_else(|| get("HUGGINGFACE_HUB_CACHE"))
            .map_or_else(|| home.join("hub"), path);
        let mut found = Self::new(cache);
        if let Some(endpoint) = get("HF_ENDPOINT") {
            endpoint
                .trim_end_matches('/')
                .clone_into(&mut found.endpoint);
        }
        if let Some(value) = get("HF_HUB_DOWNLOAD_TIMEOUT") {
            let seconds = value.parse().map_err(|_| HubError::Setting {
                name: "HF_HUB_DOWNLOAD_TIMEOUT",
                value,
                expected: "a whole number of seconds",
            })?;
            if seconds > 0 {
                found.timeout = Duration::from_secs(seconds);
            }
        }
        found.roots = get("SSL_CERT_FILE").map(path);
        found.offline = truth(get("HF_HUB_OFFLINE").or_else(|| get("TRANSFORMERS_OFFLINE")));
        found.progress = !truth(get("HF_HUB_DISABLE_PROGRESS_BARS"));
        if !truth(get("HF_HUB_DISABLE_IMPLICIT_TOKEN")) {
            let given = get("HF_TOKEN").or_else(|| get("HUGGING_FACE_HUB_TOKEN"));
            found.token = match given.as_deref().and_then(Token::new) {
                Some(token) => Some(token),
                None => read_token(get("HF_TOKEN_PATH").map_or_else(|| home.join("token"), path))?,
            };
        }
        Ok(found)
    }
}

fn read_token(path: PathBuf) -> Result<Option<Token>, HubError> {
    match io::read_to_string(&path) {
        Ok(text) => Ok(Token::new(&text)),
        Err(IoError::Read { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

/// Replaces a leading `~`, `$NAME` and `${NAME}`; what is not set stays as it is written.
fn expand(text: &str, get: &dyn Fn(&str) -> Option<String>) -> String {
    let home = get("HOME").unwrap_or_default();
    let mut rest = text;
    let mut out = String::new();
    if let Some(after) = text.strip_prefix('~')
        && (after.is_empty() || after.starts_with('/'))
        && !home.is_empty()
    {
        out.push_str(home.trim_end_matches('/'));
        rest = after;
    }
    while let Some((before, after)) = rest.split_once('$') {
        out.push_str(before);
        let (name, written, left) = match after.strip_prefix('{').and_then(|a| a.split_once('}')) {
            Some((name, left)) => (name, &after[..name.len() + 2], left),
            None => {
                let end = after
                    .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
                    .unwrap_or(after.len());
                (&after[..end], &after[..end], &after[end..])
            }
        };
        match get(name) {
            Some(value) => out.push_str(&value),
            None => out.extend(["$", written]),
        }
        rest = left;
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn read(variables: &[(&str, &str)]) -> Env {
        let get = |name: &str| {
            let of = |(known, value): &(&str, &str)| (*known == name).then(|| (*value).to_owned());
            variables.iter().find_map(of)
        };
        Env::from_variables(&get).unwrap()
    }

    #[test]
    fn the_cache_follows_the_first_variable_that_is_set() {
        let mut variables = vec![("HOME", "/h")];
        for (name, value, cache) in [
            ("HOME", "/h", "/h/.cache/huggingface/hub"),
            ("XDG_CACHE_HOME", "~/x", "/h/x/huggingface/hub"),
            ("HF_HOME", "$HOME/hf/${NO}", "/h/hf/${NO}/hub"),
            ("HUGGINGFACE_HUB_CACHE", "/old", "/old"),
            ("HF_HUB_CACHE", "${HOME}/new", "/h/new"),
        ] {
            variables.push((name, value));
            assert_eq!(read(&variables).cache, Path::new(cache), "{name}");
        }
        variables.insert(0, ("HF_HUB_CACHE", ""));
        assert_eq!(read(&variables).cache, Path::new("/old"));
    }

    #[test]
    fn true_is_what_python_takes_for_true() {
        for (value, offline) in [
            ("1", true),
            ("yes", true),
            ("On", true),
            ("0", false),
            ("2", false),
        ] {
            assert_eq!(read(&[("HF_HUB_OFFLINE", value)]).offline, offline);
            assert_eq!(read(&[("TRANSFORMERS_OFFLINE", value)]).offline, offline);
        }
        let both = [("HF_HUB_OFFLINE", "0"), ("TRANSFORMERS_OFFLINE", "1")];
        assert!(
            !read(&both).offline,
            "the hub's own variable has the last word"
        );
        assert!(!read(&[("HF_HUB_DISABLE_PROGRESS_BARS", "1")]).progress);
        assert_eq!(read(&[("HF_ENDPOINT", "http://m/")]).endpoint, "http://m");
    }

    #[test]
    fn a_token_comes_from_its_variable_else_from_its_file_and_is_never_shown() {
        let home = tempfile::tempdir().unwrap();
        let hf_home = home.path().to_str().unwrap();
        assert_eq!(read(&[("HF_HOME", hf_home)]).token, None);
        std::fs::write(home.path().join("token"), "hf_file\n").unwrap();
        let token = |variables: &[(&str, &str)]| {
            let mut all = vec![("HF_HOME", hf_home)];
            all.extend(variables);
            read(&all).token.map(|token| token.0)
        };
        assert_eq!(token(&[]).unwrap(), "hf_file");
        assert_eq!(token(&[("HF_TOKEN", " hf_env\n")]).unwrap(), "hf_env");
        assert_eq!(token(&[("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1")]), None);
        assert_eq!(token(&[("HF_TOKEN_PATH", "/no/token")]), None);
        let shown = format!("{:?}", read(&[("HF_TOKEN", "secret")]));
        assert!(!shown.contains("secret"), "{shown}");
    }

    #[test]
    fn a_timeout_that_is_no_number_is_refused() {
        let get = |name: &str| (name == "HF_HUB_DOWNLOAD_TIMEOUT").then(|| "soon".to_owned());
        let error = Env::from_variables(&get).unwrap_err();
        assert!(matches!(error, HubError::Setting { .. }), "{error}");
    }
}
