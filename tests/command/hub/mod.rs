//! Models from a hub that a local server plays: what is asked for, what is kept, what is refused.

mod cache;
mod command;
mod download;
mod python;
mod refused;
mod server;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hardlight::hub::{self, Env, HubError, Id, Progress, Token, Want, Watch};
use hardlight::io::{Classified as _, ErrorKind};
use server::{COMMIT, Server};
use tempfile::TempDir;

const NAME: &str = "org/sd";

/// Where the weights of its UNet are.
const UNET: &str = "unet/diffusion_pytorch_model.safetensors";

const PLAIN: Want = Want::Pipeline {
    half: false,
    safety: false,
};
const HALF: Want = Want::Pipeline {
    half: true,
    safety: false,
};

/// Bytes that repeat themselves nowhere near.
fn noise(count: usize, seed: u32) -> Vec<u8> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    };
    (0..count).map(|_| next()).collect()
}

/// A hub with one pipeline, and an empty cache.
struct Scene {
    server: Server,
    folder: TempDir,
    env: Env,
}

impl Scene {
    fn new() -> Self {
        let (server, folder) = (Server::start(), tempfile::tempdir().unwrap());
        let mut env = Env::new(folder.path().join("hub"));
        env.endpoint = server.url();
        env.pauses = vec![Duration::ZERO];
        env.proxy = false;
        {
            let mut state = server.state();
            let files = &mut state.repo(NAME).files;
            let index = serde_json::json!({
                "_class_name": "StableDiffusionPipeline",
                "unet": ["diffusers", "UNet2DConditionModel"],
                "vae": ["diffusers", "AutoencoderKL"],
                "tokenizer": ["transformers", "CLIPTokenizer"],
                "safety_checker": [null, null],
            });
            let index = serde_json::to_vec(&index).unwrap();
            files.insert("model_index.json".to_owned(), index);
            for name in ["unet/config.json", "vae/config.json", "README.md"] {
                files.insert(
                    name.to_owned(),
                    format!("{{\"of\": {name:?}}}").into_bytes(),
                );
            }
            files.insert("tokenizer/vocab.json".to_owned(), noise(500, 1));
            files.insert("tokenizer/merges.txt".to_owned(), noise(500, 6));
            files.insert(UNET.to_owned(), noise(1_000_000, 2));
            files.insert("sd.safetensors".to_owned(), noise(9, 3));
            let vae = "vae/diffusion_pytorch_model";
            files.insert(format!("{vae}.safetensors"), noise(3000, 4));
            files.insert(format!("{vae}.fp16.safetensors"), noise(2000, 5));
        }
        Self {
            server,
            folder,
            env,
        }
    }

    fn repo(&self) -> PathBuf {
        self.env.cache.join("models--org--sd")
    }

    fn snapshot(&self) -> PathBuf {
        self.repo().join("snapshots").join(COMMIT)
    }

    fn unet(&self) -> Vec<u8> {
        self.server.state().repo(NAME).files[UNET].clone()
    }

    /// What has arrived of the UNet.
    fn partial(&self) -> PathBuf {
        let digits = hardlight::io::sha256_hex(&self.unet());
        self.repo().join(format!("blobs/{digits}.incomplete"))
    }

    fn fetch(&self, want: Want) -> Result<PathBuf, HubError> {
        self.fetch_as(NAME, want, &mut Seer::default())
    }

    fn fetch_as(&self, id: &str, want: Want, seer: &mut Seer) -> Result<PathBuf, HubError> {
        hub::fetch(&Id::parse(id).unwrap(), want, &self.env, seer)
    }

    fn resolve(&self, given: &str, want: Want) -> Result<PathBuf, HubError> {
        hub::resolve(Path::new(given), want, &self.env, &mut Seer::default())
    }

    /// Forgets which requests came.
    fn forget(&self) {
        self.server.state().seen.clear();
    }

    /// The UNet lies in the snapshot, whole, and nothing half is left.
    #[track_caller]
    fn assert_whole(&self) {
        assert_eq!(fs::read(self.snapshot().join(UNET)).unwrap(), self.unet());
        assert!(!self.partial().exists());
    }

    /// Nothing has the name of the UNet.
    #[track_caller]
    fn assert_no_unet(&self) {
        let digits = hardlight::io::sha256_hex(&self.unet());
        assert!(!self.snapshot().join(UNET).exists());
        assert!(!self.repo().join("blobs").join(digits).exists());
    }
}

/// Watches, and stops after some bytes.
#[derive(Default)]
struct Seer {
    warnings: Vec<String>,
    progress: Vec<(u64, u64)>,
    stop_at: Option<u64>,
}

impl Watch for Seer {
    fn progress(&mut self, at: Progress<'_>) {
        self.progress.push((at.done, at.total));
    }

    fn warn(&mut self, text: &str) {
        self.warnings.push(text.to_owned());
    }

    fn stopped(&self) -> bool {
        let last = self.progress.last().copied().unwrap_or_default();
        self.stop_at.is_some_and(|at| last.0 >= at)
    }
}
