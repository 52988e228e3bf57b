//! Requests to the hub: who gets the token, which redirects are followed, what is tried again.

use std::io::{Read as _, Write as _};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ureq::http::header::{self, HeaderMap, HeaderValue};
use ureq::http::{Method, Request, Response, StatusCode, Uri};
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};
use ureq::{Agent, Body};

use super::{Env, HubError, Id, Watch};
use crate::io;

/// More redirects than any hub needs.
const REDIRECTS: usize = 8;

/// A pause is cut short when the caller asks to stop.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// The connection with the hub.
#[derive(Debug)]
pub(super) struct Client {
    agent: Agent,
    endpoint: String,
    origin: Origin,
    /// Goes to the endpoint and nowhere else.
    authorization: Option<HeaderValue>,
    pauses: Vec<Duration>,
}

/// Scheme, host and port.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Origin(String, String, u16);

/// An attempt that failed.
pub(super) enum Failed {
    /// For good.
    Finally(HubError),
    /// Worth another attempt; `further` if it came further than those before it.
    Now { error: HubError, further: bool },
}

impl From<HubError> for Failed {
    fn from(error: HubError) -> Self {
        Self::Finally(error)
    }
}

/// An attempt that brought nothing.
fn now(error: HubError) -> Failed {
    Failed::Now {
        error,
        further: false,
    }
}

impl Client {
    pub(super) fn new(env: &Env) -> Result<Self, HubError> {
        let setting = || HubError::Setting {
            name: "HF_ENDPOINT",
            value: env.endpoint.clone(),
            expected: "a URL, as https://huggingface.co",
        };
        let uri: Uri = env.endpoint.parse().map_err(|_| setting())?;
        let origin = origin(&uri).ok_or_else(setting)?;
        let authorization = match &env.token {
            Some(token) => {
                let text = format!("Bearer {}", token.as_str());
                let mut value = HeaderValue::from_str(&text).map_err(|_| HubError::Token)?;
                value.set_sensitive(true);
                Some(value)
            }
            None => None,
        };
        let mut config = Agent::config_builder()
            .http_status_as_error(false)
            // Followed here, where it is decided who gets the token.
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_connect(Some(env.timeout))
            .timeout_per_read(Some(env.timeout))
            .timeout_per_write(Some(env.timeout))
            .user_agent(concat!("hardlight/", env!("CARGO_PKG_VERSION")));
        if !env.proxy {
            config = config.proxy(None);
        }
        if let Some(path) = &env.roots {
            let roots = RootCerts::Specific(Arc::new(certificates(path)?));
            config = config.tls_config(TlsConfig::builder().root_certs(roots).build());
        }
        Ok(Self {
            agent: config.build().into(),
            endpoint: env.endpoint.clone(),
            origin,
            authorization,
            pauses: env.pauses.clone(),
        })
    }

    /// The URL of a file's content at a commit.
    pub(super) fn file_url(&self, id: &Id, commit: &str, file: &str) -> String {
        let (name, file) = (id.name(), escaped(file, true));
        format!("{}/{name}/resolve/{commit}/{file}", self.endpoint)
    }

    /// The URL of what a revision consists of.
    pub(super) fn listing_url(&self, id: &Id) -> String {
        let (name, revision) = (id.name(), escaped(id.revision(), false));
        format!(
            "{}/api/models/{name}/revision/{revision}?blobs=true",
            self.endpoint
        )
    }

    /// The headers that describe a file.
    pub(super) fn head(&self, id: &Id, url: &str) -> Result<HeaderMap, Failed> {
        self.request(&Method::HEAD, id, url, 0)
            .map(|response| response.headers().clone())
    }

    /// A whole small body.
    pub(super) fn get(&self, id: &Id, url: &str, limit: u64) -> Result<Vec<u8>, Failed> {
        let mut bytes = Vec::new();
        let response = self.request(&Method::GET, id, url, 0)?;
        let mut body = response.into_body().into_reader().take(limit + 1);
        body.read_to_end(&mut bytes)
            .map_err(|source| now(network(url, source)))?;
        if bytes.len() as u64 > limit {
            let reason = format!("more than {limit} bytes");
            return Err(answer(url, reason).into());
        }
        Ok(bytes)
    }

    /// A body from a byte on; the answer's status tells whether the server does that.
    pub(super) fn stream(&self, id: &Id, url: &str, from: u64) -> Result<Response<Body>, Failed> {
        self.request(&Method::GET, id, url, from)
    }

    fn request(
        &self,
        method: &Method,
        id: &Id,
        url: &str,
        from: u64,
    ) -> Result<Response<Body>, Failed> {
        let mut at = url.to_owned();
        for _ in 0..=REDIRECTS {
            let uri: Uri = at
                .parse()
                .map_err(|_| answer(url, "it leads to what is no URL".to_owned()))?;
            let to = origin(&uri);
            let home = to.as_ref() == Some(&self.origin);
            if self.origin.0 == "https" && to.is_none_or(|to| to.0 != "https") {
                let reason = format!("it leads to {}, without encryption", bare(&at));
                return Err(answer(url, reason).into());
            }
            let mut request = Request::builder()
                .method(method)
                .uri(&uri)
                // Sizes and ranges are those of the file, not of something packed.
                .header(header::ACCEPT_ENCODING, "identity");
            if from > 0 {
                request = request.header(header::RANGE, format!("bytes={from}-"));
            }
            if let Some(value) = self.authorization.as_ref().filter(|_| home) {
                request = request.header(header::AUTHORIZATION, value);
            }
            let request = request
                .body(())
                .map_err(|source| network(&at, std::io::Error::other(source)))?;
            let response = self
                .agent
                .run(request)
                .map_err(|source| now(network(&at, source)))?;
            let status = response.status();
            // The hub's own answer about a file already says what a HEAD asks for.
            let described = response.headers().contains_key("x-repo-commit");
            let location = response.headers().get(header::LOCATION);
            match location.filter(|_| status.is_redirection()) {
                Some(_) if method == Method::HEAD && described => return Ok(response),
                Some(location) => {
                    at = location
                        .to_str()
                        .ok()
                        .and_then(|location| absolute(&uri, location))
                        .ok_or_else(|| answer(url, "it leads to what is no URL".to_owned()))?;
                }
                None => return self.check(id, url, &at, home, response),
            }
        }
        Err(answer(url, "it only leads on and on".to_owned()).into())
    }

    /// Turns a status into an error; 416 is the downloader's to judge.
    fn check(
        &self,
        id: &Id,
        url: &str,
        at: &str,
        home: bool,
        response: Response<Body>,
    ) -> Result<Response<Body>, Failed> {
        let status = response.status();
        let code = response.headers().get("x-error-code");
        let code = code.and_then(|code| code.to_str().ok()).unwrap_or_default();
        let failed = HubError::Status {
            url: bare(at),
            status: status.as_u16(),
        };
        match status {
            StatusCode::RANGE_NOT_SATISFIABLE => Ok(response),
            _ if status.is_success() => Ok(response),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN if home => Err(HubError::Denied {
                id: id.clone(),
                status: status.as_u16(),
                token: self.authorization.is_some(),
                url: format!("{}/{}", self.endpoint, id.name()),
            }
            .into()),
            StatusCode::NOT_FOUND if home => {
                let what = match code {
                    "RevisionNotFound" => format!("revision {} of {}", id.revision(), id.name()),
                    "EntryNotFound" => format!("a file of {id}"),
                    _ => id.to_string(),
                };
                let url = bare(url);
                Err(HubError::NotFound { what, url }.into())
            }
            // A signed address has run out; asking the hub again gives a new one.
            StatusCode::FORBIDDEN | StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT => {
                Err(now(failed))
            }
            _ if status.is_server_error() => Err(now(failed)),
            _ => Err(failed.into()),
        }
    }

    /// Does something until it succeeds, fails for good, or fails more often than there are pauses.
    pub(super) fn retrying<T>(
        &self,
        watch: &mut dyn Watch,
        mut attempt: impl FnMut(&mut dyn Watch) -> Result<T, Failed>,
    ) -> Result<T, HubError> {
        let mut pauses = self.pauses.iter();
        loop {
            if watch.stopped() {
                return Err(HubError::Stopped);
            }
            let (error, further) = match attempt(watch) {
                Ok(done) => return Ok(done),
                Err(Failed::Finally(error)) => return Err(error),
                Err(Failed::Now { error, further }) => (error, further),
            };
            if further {
                pauses = self.pauses.iter();
            }
            let Some(pause) = pauses.next() else {
                return Err(error);
            };
            watch.warn(&format!("trying again: {error}"));
            wait(*pause, watch);
        }
    }
}

fn certificates(path: &Path) -> Result<Vec<Certificate<'static>>, HubError> {
    let bytes = io::read(path)?;
    // What else a bundle holds does not matter.
    let items = parse_pem(&bytes).flatten();
    let found: Vec<_> = items
        .filter_map(|item| match item {
            PemItem::Certificate(certificate) => Some(certificate),
            _ => None,
        })
        .collect();
    if found.is_empty() {
        let path = path.to_path_buf();
        return Err(HubError::Certificates { path });
    }
    Ok(found)
}

fn wait(pause: Duration, watch: &dyn Watch) {
    let begun = Instant::now();
    while let Some(left) = pause
        .checked_sub(begun.elapsed())
        .filter(|left| !left.is_zero())
    {
        if watch.stopped() {
            return;
        }
        std::thread::sleep(left.min(LOOK_EVERY));
    }
}

fn origin(uri: &Uri) -> Option<Origin> {
    let scheme = uri.scheme_str()?;
    let port = match scheme {
        "https" => 443,
        "http" => 80,
        _ => return None,
    };
    let host = uri.host().filter(|host| !host.is_empty())?;
    let port = uri.port_u16().unwrap_or(port);
    Some(Origin(scheme.to_owned(), host.to_ascii_lowercase(), port))
}

/// Where a redirect leads.
fn absolute(from: &Uri, location: &str) -> Option<String> {
    if location.starts_with('/') && !location.starts_with("//") {
        return Some(format!(
            "{}://{}{location}",
            from.scheme()?,
            from.authority()?
        ));
    }
    let known = location.starts_with("https://") || location.starts_with("http://");
    known.then(|| location.to_owned())
}

/// A URL without its query, which may be a signature.
fn bare(url: &str) -> String {
    url.split('?').next().unwrap_or_default().to_owned()
}

pub(super) fn answer(url: &str, reason: String) -> HubError {
    let url = bare(url);
    HubError::Answer { url, reason }
}

pub(super) fn network(
    url: &str,
    source: impl std::error::Error + Send + Sync + 'static,
) -> HubError {
    HubError::Network {
        url: bare(url),
        source: Box::new(source),
    }
}

/// A part of a URL's path.
fn escaped(text: &str, slashes: bool) -> String {
    let mut out = Vec::new();
    for byte in text.bytes() {
        match byte {
            b'/' if slashes => out.push(byte),
            b'-' | b'_' | b'.' | b'~' => out.push(byte),
            _ if byte.is_ascii_alphanumeric() => out.push(byte),
            // Writing to a vector cannot fail.
            _ => drop(write!(out, "%{byte:02X}")),
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_urls_are_escaped() {
        assert_eq!(escaped("refs/pr/1", false), "refs%2Fpr%2F1");
        assert_eq!(escaped("a b/é?.json", true), "a%20b/%C3%A9%3F.json");
    }

    #[test]
    fn redirects_lead_to_paths_and_urls() {
        let from = "http://hub:80/a/b".parse().unwrap();
        assert_eq!(absolute(&from, "/c?d=1").unwrap(), "http://hub:80/c?d=1");
        assert_eq!(absolute(&from, "https://cdn/x").unwrap(), "https://cdn/x");
        for strange in ["//cdn/x", "file:///etc/passwd", "c", ""] {
            assert_eq!(absolute(&from, strange), None, "{strange}");
        }
    }

    #[test]
    fn an_origin_is_scheme_host_and_port() {
        let of = |text: &str| origin(&text.parse().unwrap());
        assert_eq!(of("https://HUB/a"), of("https://hub:443/b"));
        assert_ne!(of("https://hub"), of("http://hub"));
        assert_ne!(of("http://hub:81"), of("http://hub"));
        assert_ne!(of("http://hub.evil"), of("http://hub"));
        assert_eq!(of("ftp://hub"), None);
    }

    #[test]
    fn what_the_environment_names_must_be_a_url_certificates_and_a_token() {
        let mut env = Env::new("cache".into());
        for wrong in ["huggingface.co", "ftp://a", "http://", ""] {
            wrong.clone_into(&mut env.endpoint);
            let error = Client::new(&env).unwrap_err();
            assert!(matches!(error, HubError::Setting { .. }), "{error}");
        }
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut env = Env::new("cache".into());
        env.roots = Some(file.path().to_path_buf());
        let error = Client::new(&env).unwrap_err();
        assert!(matches!(error, HubError::Certificates { .. }), "{error}");
        let mut env = Env::new("cache".into());
        env.token = super::super::Token::new("tök\u{1}en");
        let error = Client::new(&env).unwrap_err();
        assert!(matches!(error, HubError::Token), "{error}");
        assert!(!format!("{error:?} {error}").contains("tök"));
    }
}
