//! interim: removed when the kinds of errors are merged.
use crate::io::{Classified, ErrorKind, IoError};
impl Classified for IoError { fn kind(&self) -> ErrorKind { if self.is_disk() { ErrorKind::Disk } else { ErrorKind::Input } } }
impl Classified for crate::embed::EmbedError { fn kind(&self) -> ErrorKind { ErrorKind::Input } }
#[cfg(feature = "torch")]
impl Classified for crate::diffusion::pipeline::PipelineError { fn kind(&self) -> ErrorKind { ErrorKind::Input } }
