//! Multi-head attention through `scaled_dot_product_attention`.

use tch::Tensor;

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
    let split = |xs: &Tensor| xs.view([n, -1, heads, c / heads]).transpose(1, 2);
    Tensor::scaled_dot_product_attention(
        &split(query),
        &split(key),
        &split(value),
        mask,
        0.0,
        false,
        None,
        false,
    )
    .transpose(1, 2)
    .reshape([n, l, c])
}
