//! A hub on this machine: a few repositories, a second address that plays the CDN, and every kind of
//! trouble, on demand and counted.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;

use serde_json::json;
use sha1::{Digest as _, Sha1};

/// The commit of every repository.
pub(crate) const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// One repository.
#[derive(Debug, Default)]
pub(crate) struct Repo {
    pub(crate) files: BTreeMap<String, Vec<u8>>,
    /// Names that the list has besides.
    pub(crate) strange: Vec<String>,
    /// Who may see it; none means all.
    pub(crate) token: Option<String>,
    /// Whether all may see the list, and those with the token its files.
    pub(crate) gated: bool,
    /// Whether the list says nothing of sizes and hashes, as some mirrors' does.
    pub(crate) plain_list: bool,
}

/// What happens once to a body of this file.
pub(crate) enum Trouble {
    /// The connection ends after so many bytes.
    Cut(usize),
    /// So many bytes, then word to the test, then nothing more until it answers.
    #[cfg_attr(not(feature = "torch"), allow(dead_code, reason = "for commands"))]
    Hold(usize, Sender<()>, Receiver<()>),
    /// A status instead of an answer.
    Status(u16),
}

/// A request that came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) method: String,
    /// Without the query.
    pub(crate) path: String,
    pub(crate) range: Option<String>,
    pub(crate) authorization: Option<String>,
    /// Whether it came to the CDN.
    pub(crate) cdn: bool,
}

#[derive(Default)]
pub(crate) struct State {
    pub(crate) repos: BTreeMap<String, Repo>,
    pub(crate) seen: Vec<Seen>,
    /// By the end of the path.
    pub(crate) trouble: BTreeMap<String, VecDeque<Trouble>>,
    /// Other bytes than those that were announced, by the end of the path.
    pub(crate) wrong: BTreeMap<String, Vec<u8>>,
    /// Whether ranges are passed over.
    pub(crate) no_ranges: bool,
    /// Old names and new.
    pub(crate) renamed: Option<(&'static str, &'static str)>,
    cdn: Option<SocketAddr>,
}

impl State {
    /// The requests for bodies of large files.
    pub(crate) fn weights(&self) -> Vec<Seen> {
        self.seen.iter().filter(|seen| seen.cdn).cloned().collect()
    }

    pub(crate) fn repo(&mut self, name: &str) -> &mut Repo {
        self.repos.entry(name.to_owned()).or_default()
    }

    pub(crate) fn trouble(&mut self, end: &str, trouble: Trouble) {
        let all = self.trouble.entry(end.to_owned()).or_default();
        all.push_back(trouble);
    }
}

pub(crate) struct Server {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

impl Server {
    pub(crate) fn start() -> Self {
        let state = Arc::new(Mutex::new(State::default()));
        let cdn = listen(&state, true);
        state.lock().unwrap().cdn = Some(cdn);
        let address = listen(&state, false);
        Self { address, state }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

/// Answers on a free port, each connection in its thread; they end with the process.
fn listen(state: &Arc<Mutex<State>>, cdn: bool) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let state = Arc::clone(state);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let state = Arc::clone(&state);
            // Those who hang up early are no concern of ours.
            thread::spawn(move || drop(serve(&state, &stream, cdn)));
        }
    });
    address
}

/// Reads the head of a request.
fn request(stream: &TcpStream, cdn: bool) -> std::io::Result<Seen> {
    let mut lines = BufReader::new(stream).lines();
    let first = lines.next().unwrap_or(Ok(String::new()))?;
    let mut words = first.split(' ').map(str::to_owned);
    let (method, target) = (
        words.next().unwrap_or_default(),
        words.next().unwrap_or_default(),
    );
    let mut headers = BTreeMap::new();
    for line in lines {
        let line = line?;
        let Some((name, value)) = line.split_once(": ") else {
            break;
        };
        headers.insert(name.to_ascii_lowercase(), value.to_owned());
    }
    let path = target.split('?').next().unwrap_or_default().to_owned();
    Ok(Seen {
        range: headers.get("range").cloned(),
        authorization: headers.get("authorization").cloned(),
        method,
        path,
        cdn,
    })
}

fn serve(state: &Mutex<State>, stream: &TcpStream, cdn: bool) -> std::io::Result<()> {
    let seen = request(stream, cdn)?;
    let (answer, trouble) = {
        let mut state = state.lock().unwrap();
        state.seen.push(seen.clone());
        let answer = answer(&state, &seen);
        let mut all = state.trouble.iter_mut();
        // A redirect has no body to spoil.
        let trouble = all
            .find(|(end, _)| seen.path.ends_with(*end))
            .filter(|_| seen.method == "GET" && !matches!(answer.status, 302 | 307))
            .and_then(|(_, list)| list.pop_front());
        (answer, trouble)
    };
    let mut stream = stream;
    let Answer {
        status,
        mut head,
        body,
    } = answer;
    if let Some(Trouble::Status(status)) = trouble {
        return write!(
            stream,
            "HTTP/1.1 {status} Trouble\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        );
    }
    write!(
        head,
        "Content-Length: {}\r\nConnection: close\r\n",
        body.len()
    )
    .unwrap();
    write!(stream, "HTTP/1.1 {status} Word\r\n{head}\r\n")?;
    if seen.method == "HEAD" {
        return Ok(());
    }
    match trouble {
        Some(Trouble::Cut(count)) => stream.write_all(&body[..count]),
        Some(Trouble::Hold(count, reached, go)) => {
            stream.write_all(&body[..count])?;
            stream.flush()?;
            reached.send(()).ok();
            go.recv().ok();
            stream.write_all(&body[count..])
        }
        _ => stream.write_all(&body),
    }
}

struct Answer {
    status: u16,
    head: String,
    body: Vec<u8>,
}

fn failed(status: u16, code: &str) -> Answer {
    Answer {
        status,
        head: format!("X-Error-Code: {code}\r\n"),
        body: Vec::new(),
    }
}

fn answer(state: &State, seen: &Seen) -> Answer {
    let path = seen.path.trim_start_matches('/');
    if seen.cdn {
        let (name, file) = path.split_once("/blob/").unwrap();
        return content(state, seen, &state.repos[name].files[file], String::new());
    }
    if let Some((old, new)) = state.renamed.filter(|(old, _)| path.contains(old)) {
        let to = path.replace(old, new);
        return Answer {
            status: 307,
            head: format!("Location: /{to}\r\n"),
            body: Vec::new(),
        };
    }
    let open = |repo: &Repo| {
        let bearer = repo.token.as_ref().map(|token| format!("Bearer {token}"));
        bearer.is_none() || bearer == seen.authorization
    };
    if let Some(rest) = path.strip_prefix("api/models/") {
        let (name, revision) = rest.split_once("/revision/").unwrap();
        return match state.repos.get(name) {
            None => failed(404, "RepoNotFound"),
            Some(repo) if !open(repo) && !repo.gated => failed(401, "RepoNotFound"),
            _ if revision != "main" && revision != COMMIT => failed(404, "RevisionNotFound"),
            Some(repo) => Answer {
                status: 200,
                head: String::new(),
                body: list(repo),
            },
        };
    }
    let (name, rest) = path.split_once("/resolve/").unwrap();
    let (_, file) = rest.split_once('/').unwrap();
    let Some(repo) = state.repos.get(name) else {
        return failed(404, "RepoNotFound");
    };
    if !open(repo) {
        return failed(403, "GatedRepo");
    }
    let Some(bytes) = repo.files.get(file) else {
        return failed(404, "EntryNotFound");
    };
    let mut head = format!("X-Repo-Commit: {COMMIT}\r\n");
    if is_large(file) {
        let (digits, size) = (hardlight::io::sha256_hex(bytes), bytes.len());
        let cdn = state.cdn.unwrap();
        write!(
            head,
            "X-Linked-Etag: \"{digits}\"\r\nX-Linked-Size: {size}\r\nETag: \"other\"\r\n\
             Location: http://{cdn}/{name}/blob/{file}?signature=s3cret\r\n"
        )
        .unwrap();
        return Answer {
            status: 302,
            head,
            body: b"elsewhere".to_vec(),
        };
    }
    write!(head, "ETag: \"{}\"\r\n", git_hash(bytes)).unwrap();
    content(state, seen, bytes, head)
}

/// Bytes from where they are asked for.
fn content(state: &State, seen: &Seen, bytes: &[u8], mut head: String) -> Answer {
    let mut wrong = state.wrong.iter();
    let wrong = wrong.find(|(end, _)| seen.path.ends_with(*end));
    let bytes = wrong.map_or(bytes, |(_, wrong)| wrong);
    let from = seen.range.as_ref().filter(|_| !state.no_ranges);
    let from = from.map(|range| range.trim_start_matches("bytes=").trim_end_matches('-'));
    let Some(from) = from.map(|from| from.parse::<usize>().unwrap()) else {
        return Answer {
            status: 200,
            head,
            body: bytes.to_vec(),
        };
    };
    let last = bytes.len() - 1;
    write!(head, "Content-Range: bytes {from}-{last}/{}\r\n", last + 1).unwrap();
    Answer {
        status: 206,
        head,
        body: bytes[from..].to_vec(),
    }
}

fn list(repo: &Repo) -> Vec<u8> {
    let known = |(name, bytes): (&String, &Vec<u8>)| {
        if repo.plain_list {
            return json!({"rfilename": name});
        }
        let mut entry = json!({"rfilename": name, "size": bytes.len(), "blobId": git_hash(bytes)});
        if is_large(name) {
            let sha256 = hardlight::io::sha256_hex(bytes);
            entry["lfs"] = json!({"sha256": sha256, "size": bytes.len(), "pointerSize": 134});
        }
        entry
    };
    let strange = repo.strange.iter().map(|name| json!({"rfilename": name}));
    let files: Vec<_> = repo.files.iter().map(known).chain(strange).collect();
    serde_json::to_vec(&json!({"sha": COMMIT, "siblings": files})).unwrap()
}

fn is_large(name: &str) -> bool {
    matches!(name.rsplit('.').next(), Some("safetensors" | "bin"))
}

/// `git hash-object`.
pub(crate) fn git_hash(bytes: &[u8]) -> String {
    let mut hasher = Sha1::new_with_prefix(format!("blob {}\0", bytes.len()));
    hasher.update(bytes);
    let digest = hasher.finalize();
    digest.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}
