use std::path::PathBuf;

use ndarray::{Array, Array1, Array2, ShapeBuilder as _, array};
use ndarray_npy::WriteNpyExt as _;

use super::*;

fn npy<D: ndarray::Dimension>(m: &Array<impl ndarray_npy::WritableElement, D>) -> Vec<u8> {
    let mut bytes = Vec::new();
    m.write_npy(&mut bytes).unwrap();
    bytes
}

/// A version 1 `.npy` of our own making.
fn raw_npy(header: &str, data: &[u8]) -> Vec<u8> {
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend_from_slice(&(header.len() as u16).to_le_bytes());
    bytes.extend_from_slice(header.as_bytes());
    bytes.extend_from_slice(data);
    bytes
}

fn safetensor(kind: Dtype, shape: &[usize], data: &[u8]) -> Vec<u8> {
    let view = TensorView::new(kind, shape.to_vec(), data).unwrap();
    safetensors::tensor::serialize([("e", view)], None).unwrap()
}

fn file(bytes: &[u8]) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.safetensors");
    std::fs::write(&path, bytes).unwrap();
    (folder, path)
}

#[test]
fn npy_as_another_library_writes_it() {
    let m: Array2<f32> = array![[1.0, -2.5, 3.0], [4.0, 5.0, 6.25]];
    assert_eq!(parse(&npy(&m)).unwrap().0, m);
    assert_eq!(parse(&npy(&m.mapv(f64::from))).unwrap().0, m);
    let columns = Array2::from_shape_vec((2, 3).f(), vec![1.0_f32, 4.0, -2.5, 5.0, 3.0, 6.25]);
    let bytes = npy(&columns.unwrap());
    assert!(String::from_utf8_lossy(&bytes).contains("'fortran_order': True"));
    assert_eq!(parse(&bytes).unwrap().0, m);
}

#[test]
fn half_precision_and_swapped_bytes() {
    let data: Vec<u8> = [1.5_f32, -2.0]
        .iter()
        .flat_map(|v| f16::from_f32(*v).to_le_bytes())
        .collect();
    let header = "{'descr': '<f2', 'fortran_order': False, 'shape': (1, 2), }\n";
    assert_eq!(
        parse(&raw_npy(header, &data)).unwrap().0,
        array![[1.5, -2.0]]
    );
    let header = "{'descr': '>f4', 'fortran_order': False, 'shape': (1, 1), }\n";
    let bytes = raw_npy(header, &7.0_f32.to_be_bytes());
    assert_eq!(parse(&bytes).unwrap().0, array![[7.0]]);
}

#[test]
fn every_float_type_of_safetensors() {
    let bf: Vec<u8> = [bf16::ONE, bf16::NEG_ONE]
        .iter()
        .flat_map(|v| v.to_le_bytes())
        .collect();
    let half: Vec<u8> = [f16::ONE, f16::NEG_ONE]
        .iter()
        .flat_map(|v| v.to_le_bytes())
        .collect();
    let double: Vec<u8> = [1.0_f64, -1.0]
        .iter()
        .flat_map(|v| v.to_le_bytes())
        .collect();
    for (kind, data) in [(Dtype::BF16, bf), (Dtype::F16, half), (Dtype::F64, double)] {
        let (m, ids) = parse(&safetensor(kind, &[2, 1], &data)).unwrap();
        assert_eq!((m, ids), (array![[1.0], [-1.0]], None));
    }
}

#[test]
fn what_is_written_is_read_and_equal_input_gives_equal_bytes() {
    let (_folder, path) = file(b"");
    let m = array![[1.0_f32, 2.0], [3.0, f32::MIN_POSITIVE]];
    let ids = vec!["a\"b".to_owned(), "é/2".to_owned()];
    // A view that is not in standard layout.
    write_safetensors(&path, "embeddings", m.t(), &ids).unwrap();
    let first = std::fs::read(&path).unwrap();
    assert_eq!(
        read_keyed(&path).unwrap(),
        (m.t().to_owned(), Some(ids.clone()))
    );
    write_safetensors(&path, "embeddings", m.t(), &ids).unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), first);
    write_safetensors(&path, "embeddings", m.view(), &[]).unwrap();
    assert_eq!(read_keyed(&path).unwrap(), (m, None));
}

#[test]
fn unwritable_matrices_are_refused() {
    let m = array![[1.0_f32], [f32::NAN]];
    let error = encode("e", m.view(), &[]).unwrap_err();
    assert!(
        matches!(
            error,
            MatrixError::NonFinite {
                row: 1,
                column: 0,
                ..
            }
        ),
        "{error:?}"
    );
    let error = encode("e", m.view(), &["a".to_owned()]).unwrap_err();
    assert!(
        matches!(error, MatrixError::IdCount { ids: 1, rows: 2 }),
        "{error:?}"
    );
    let error = encode("e", Array2::zeros((0, 4)).view(), &[]).unwrap_err();
    assert!(matches!(error, MatrixError::Shape { .. }), "{error:?}");
}

#[test]
fn non_finite_values_name_row_and_column() {
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let m = array![[0.0, 1.0, 2.0], [3.0, 4.0, bad]];
        let error = parse(&npy(&m)).unwrap_err();
        assert!(
            matches!(
                error,
                MatrixError::NonFinite {
                    row: 1,
                    column: 2,
                    ..
                }
            ),
            "{error:?}"
        );
    }
    // Finite as f64, but not as f32.
    let error = parse(&npy(&array![[1e300_f64]])).unwrap_err();
    assert!(
        matches!(
            error,
            MatrixError::NonFinite {
                row: 0,
                column: 0,
                ..
            }
        ),
        "{error:?}"
    );
}

#[test]
fn wrong_shapes_are_named() {
    let error = parse(&npy(&Array1::<f32>::zeros(5))).unwrap_err();
    assert!(
        matches!(&error, MatrixError::Shape { found } if found == &[5]),
        "{error:?}"
    );
    let error = parse(&safetensor(Dtype::F32, &[0, 3], &[])).unwrap_err();
    assert!(
        matches!(&error, MatrixError::Shape { found } if found == &[0, 3]),
        "{error:?}"
    );
    let huge = format!(
        "{{'descr': '<f4', 'fortran_order': False, 'shape': ({0}, {0}), }}",
        usize::MAX
    );
    let error = parse(&raw_npy(&huge, &[])).unwrap_err();
    assert!(matches!(error, MatrixError::Shape { .. }), "{error:?}");
}

#[test]
fn a_lying_shape_is_found_before_memory_is_asked_for() {
    let header = "{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000, 1000000), }";
    let error = parse(&raw_npy(header, &[0; 8])).unwrap_err();
    assert!(
        matches!(error, MatrixError::Length { found: 8, .. }),
        "{error:?}"
    );
}

#[test]
fn truncated_files_are_refused_at_every_length() {
    let m = array![[1.0_f32, 2.0], [3.0, 4.0]];
    for whole in [npy(&m), encode("e", m.view(), &[]).unwrap()] {
        for length in 0..whole.len() {
            assert!(
                parse(&whole[..length]).is_err(),
                "{length} of {}",
                whole.len()
            );
        }
    }
}

#[test]
fn other_value_types_are_named() {
    let error = parse(&npy(&array![[1_i64]])).unwrap_err();
    assert!(
        matches!(&error, MatrixError::ValueType { found } if found == "<i8"),
        "{error:?}"
    );
    let error = parse(&safetensor(Dtype::I32, &[1, 1], &[0; 4])).unwrap_err();
    assert!(
        matches!(&error, MatrixError::ValueType { found } if found == "I32"),
        "{error:?}"
    );
}

#[test]
fn malformed_npy_headers_are_refused() {
    for header in [
        "",
        "{'descr': '<f4'}",
        "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1, 1)}",
        "{'descr': '<f4', 'fortran_order': Maybe, 'shape': (1, 1)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (-1, 1)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 1",
    ] {
        let error = parse(&raw_npy(header, &[0; 4])).unwrap_err();
        assert!(
            matches!(error, MatrixError::NpyHeader { .. }),
            "{header:?}: {error:?}"
        );
    }
    let header = "{'descr': '', 'fortran_order': False, 'shape': (1, 1)}";
    let error = parse(&raw_npy(header, &[0; 4])).unwrap_err();
    assert!(matches!(error, MatrixError::ValueType { .. }), "{error:?}");
}

#[test]
fn pickles_are_refused_by_content() {
    let cases: [&[u8]; 5] = [
        b"\x80\x02}q\x00.",
        b"\x80\x05\x95\x00\x00\x00\x00\x00\x00\x00\x00.",
        b"cos\nsystem\n(S'true'\ntR.",
        b"(dp0\n.",
        b"PK\x03\x04\x00\x00\x08\x08\x00\x00",
    ];
    for bytes in cases {
        let (_folder, path) = file(bytes);
        let error = read(&path).unwrap_err();
        let IoError::Matrix { source, .. } = &error else {
            panic!("{error:?}");
        };
        assert!(
            matches!(source, MatrixError::Pickle { .. }),
            "{bytes:?}: {source:?}"
        );
        assert!(source.to_string().contains("convert to .safetensors"));
    }
}

#[test]
fn other_content_is_refused() {
    for bytes in [&b""[..], b"1.0,2.0\n3.0,4.0\n", b"\x89HDF\r\n\x1a\n\0\0"] {
        let error = parse(bytes).unwrap_err();
        assert!(
            matches!(error, MatrixError::UnknownFormat),
            "{bytes:?}: {error:?}"
        );
    }
}

#[test]
fn a_safetensors_header_of_640_bytes_is_no_pickle() {
    // Its length begins with 0x80 0x02, as a pickle does.
    let mut header = r#"{"e":{"dtype":"F32","shape":[1,1],"data_offsets":[0,4]}}"#.to_owned();
    header.extend(std::iter::repeat_n(' ', 640 - header.len()));
    let mut bytes = 640_u64.to_le_bytes().to_vec();
    bytes.extend_from_slice(header.as_bytes());
    bytes.extend_from_slice(&2.0_f32.to_le_bytes());
    assert_eq!(parse(&bytes).unwrap().0, array![[2.0]]);
}

#[test]
fn several_tensors_are_named_in_order() {
    let data = [0_u8; 4];
    let view = || TensorView::new(Dtype::F32, vec![1, 1], &data).unwrap();
    let bytes = safetensors::tensor::serialize([("b", view()), ("a", view())], None).unwrap();
    let error = parse(&bytes).unwrap_err();
    assert!(
        matches!(&error, MatrixError::TensorCount { names } if names == &["a", "b"]),
        "{error:?}"
    );
}

#[test]
fn bad_ids_are_refused() {
    let keyed = |ids: &str| {
        let data = [0_u8; 8];
        let view = TensorView::new(Dtype::F32, vec![2, 1], &data).unwrap();
        let metadata = HashMap::from([(IDS_KEY.to_owned(), ids.to_owned())]);
        safetensors::tensor::serialize([("e", view)], Some(metadata)).unwrap()
    };
    let error = parse(&keyed(r#"["a"]"#)).unwrap_err();
    assert!(
        matches!(error, MatrixError::IdCount { ids: 1, rows: 2 }),
        "{error:?}"
    );
    let error = parse(&keyed("[1, 2]")).unwrap_err();
    assert!(matches!(error, MatrixError::Ids { .. }), "{error:?}");
}

#[test]
fn a_plain_matrix_stays_in_its_file_and_others_are_converted() {
    let m: Array2<f32> = array![[1.0, -2.5], [3.0, 4.0], [5.0, 6.25], [7.0, 8.0]];
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m");
    let columns: Array2<f32> = Array2::from_shape_fn((4, 2).f(), |(i, j)| m[[i, j]]);
    let swapped: Vec<u8> = m.iter().flat_map(|v| v.to_be_bytes()).collect();
    let header = "{'descr': '>f4', 'fortran_order': False, 'shape': (4, 2), }\n";
    let ids: Vec<String> = ["a", "b", "c", "d"].map(str::to_owned).into();
    write_safetensors(&path, "e", m.view(), &ids).unwrap();
    let keyed = std::fs::read(&path).unwrap();
    for (bytes, mapped) in [
        (keyed, true),
        (npy(&m), true),
        (npy(&m.mapv(f64::from)), false),
        (npy(&columns), false),
        (raw_npy(header, &swapped), false),
    ] {
        std::fs::write(&path, bytes).unwrap();
        let matrix = Matrix::open(&path).unwrap();
        assert_eq!(matrix.view(), m);
        assert_eq!(matrix.is_mapped(), mapped);
        let run = matrix.rows(&[1, 2]);
        assert_eq!(
            (run.is_view(), run),
            (true, m.slice(ndarray::s![1..3, ..]).into())
        );
        let picked = matrix.rows(&[3, 0, 0]);
        assert_eq!(picked, m.select(ndarray::Axis(0), &[3, 0, 0]));
        assert_eq!(matrix.rows(&[]).dim(), (0, 2));
    }
    write_safetensors(&path, "e", m.view(), &ids).unwrap();
    assert_eq!(Matrix::open(&path).unwrap().ids(), Some(&ids[..]));
}

#[test]
fn a_mapped_matrix_is_checked_as_one_that_is_read() {
    let m: Array2<f32> = array![[1.0, 2.0], [3.0, f32::NAN]];
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.npy");
    let whole = npy(&m);
    std::fs::write(&path, &whole).unwrap();
    let error = Matrix::open(&path).unwrap_err();
    let IoError::Matrix {
        source: MatrixError::NonFinite {
            row: 1, column: 1, ..
        },
        ..
    } = error
    else {
        panic!("{error:?}");
    };
    for end in 0..whole.len() {
        std::fs::write(&path, &whole[..end]).unwrap();
        assert!(Matrix::open(&path).is_err(), "{end}");
    }
}
