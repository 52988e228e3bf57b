//! Multi-head attention through `scaled_dot_product_attention`.

use tch::{Device, Kind, TchError, Tensor};

/// Attention of `query` over `key` and `value`, with `heads` heads of equal width.
///
/// # Shapes
///
/// `query` `[n, l, c]`, `key` and `value` `[n, s, c]`, `mask` (added to the scores) broadcastable
/// to `[n, heads, l, s]`; the result is `[n, l, c]`. `c` is a multiple of `heads`.
pub fn attend(
    query: &Tensor,
    key: &Tensor,
    value: &Tensor,
    heads: i64,
    mask: Option<&Tensor>,
) -> Tensor {
    let size = query.size();
    let (n, l, c) = (size[0], size[1], size[2]);
    Tensor::scaled_dot_product_attention(
        &split(query, heads),
        &split(key, heads),
        &split(value, heads),
        mask,
        0.0,
        false,
        None,
        false,
    )
    .transpose(1, 2)
    .reshape([n, l, c])
}

/// `[n, l, c]` as `[n, heads, l, c / heads]`.
fn split(xs: &Tensor, heads: i64) -> Tensor {
    let size = xs.size();
    xs.view([size[0], -1, heads, size[2] / heads])
        .transpose(1, 2)
}

/// The kernel that libtorch takes for [`attend`] with heads of width `head_dim`: its own answer, for
/// tensors of this element type on this device, laid out as there.
///
/// `flash` and `memory-efficient` never hold all scores at once; `math` does. On the CPU libtorch
/// has kernels of `flash` and `math` only, and `flash` there takes float32 and a mask too.
///
/// # Errors
///
/// Of libtorch, such as for a device that is not there.
pub fn kernel(
    head_dim: i64,
    masked: bool,
    kind: Kind,
    device: Device,
) -> Result<&'static str, TchError> {
    // What is asked does not depend on how many heads and positions there are.
    const HEADS: i64 = 2;
    const POSITIONS: i64 = 64;
    let states = Tensor::f_zeros([1, POSITIONS, HEADS * head_dim], (kind, device))?;
    let mask = Tensor::f_zeros([POSITIONS, POSITIONS], (kind, device))?;
    let xs = split(&states, HEADS);
    let mask = masked.then_some(&mask);
    let choice = Tensor::f_internal_fused_sdp_choice(&xs, &xs, &xs, mask, 0.0, false, None, false)?;
    // libtorch's `ATen/SDPBackend.h`.
    Ok(match choice {
        0 => "math",
        1 => "flash",
        2 => "memory-efficient",
        3 => "cuDNN",
        _ => "none",
    })
}
