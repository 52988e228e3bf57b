//! Rows of embeddings.

use ndarray::{Array2, ArrayView2};

/// Every row at length 1; rows of nothing stay.
pub(super) fn unit_rows(rows: ArrayView2<'_, f32>) -> Array2<f32> {
    let mut unit = rows.to_owned();
    for mut row in unit.outer_iter_mut() {
        let length = row
            .iter()
            .map(|&v| f64::from(v).powi(2))
            .sum::<f64>()
            .sqrt();
        if length > 0.0 {
            row.mapv_inplace(|v| (f64::from(v) / length) as f32);
        }
    }
    unit
}
