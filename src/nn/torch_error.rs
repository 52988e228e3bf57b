//! What kind of failure an error of libtorch is.

use tch::TchError;

use crate::io::{Classified, ErrorKind};

/// CUDA's errors reach us as text alone, in whatever call met them first. A GPU whose memory is full
/// still works, so that is no loss; it asks for another batch size, like tensors that do not fit.
impl Classified for TchError {
    fn kind(&self) -> ErrorKind {
        let text = self.to_string();
        if text.contains("CUDA error") && !text.contains("out of memory") {
            ErrorKind::Device
        } else {
            ErrorKind::Input
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_gpu_is_told_from_a_full_one() {
        for (text, kind) in [
            (
                "CUDA error: unspecified launch failure\nException raised from",
                ErrorKind::Device,
            ),
            (
                "CUDA error: device-side assert triggered",
                ErrorKind::Device,
            ),
            ("CUDA error: out of memory", ErrorKind::Input),
            (
                "CUDA out of memory. Tried to allocate 2.00 GiB",
                ErrorKind::Input,
            ),
            (
                "The size of tensor a (3) must match the size of tensor b (4)",
                ErrorKind::Input,
            ),
        ] {
            assert_eq!(TchError::Torch(text.to_owned()).kind(), kind, "{text}");
        }
    }
}
