//! Token ids of 10,000 captions against Transformers and `open_clip`.

use std::collections::BTreeMap;

use hardlight::nn::tokenizer::Tokenizer;
use tch::Tensor;

use crate::rows::{Row, case};

#[test]
#[ignore = "run by make oracle"]
fn compare() {
    let dir = case();
    let captions: Vec<String> =
        serde_json::from_slice(&std::fs::read(dir.join("captions.json")).unwrap()).unwrap();
    let want: BTreeMap<String, Tensor> = Tensor::read_safetensors(dir.join("expected.safetensors"))
        .unwrap()
        .into_iter()
        .collect();
    let numbers = |tensor: &Tensor| -> Vec<i64> { tensor.flatten(0, -1).try_into().unwrap() };
    let (ids, lengths) = (numbers(&want["ids"]), numbers(&want["lengths"]));
    let context = want["ids"].size()[1] as usize;
    let tokenizer = Tokenizer::from_dir(&dir).unwrap();
    assert_eq!(tokenizer.context(), context);
    assert_eq!(i64::from(tokenizer.pad_id()), numbers(&want["pad"])[0]);
    assert_eq!(captions.len(), lengths.len());

    let mut differ = 0;
    let mut flags = 0;
    for ((caption, ids), length) in captions.iter().zip(ids.chunks(context)).zip(lengths) {
        let ours = tokenizer.encode(caption);
        let same = ours
            .ids
            .iter()
            .map(|&id| i64::from(id))
            .eq(ids.iter().copied());
        if !same && differ < 20 {
            println!("{caption:?}\n  ours   {:?}\n  theirs {ids:?}", ours.ids);
        }
        let truncated = length > context as i64;
        if same && ours.truncated != truncated && flags < 20 {
            println!(
                "{caption:?}: {length} tokens, truncated: {}",
                ours.truncated
            );
        }
        differ += usize::from(!same);
        flags += usize::from(ours.truncated != truncated);
    }
    let name = dir.file_name().unwrap().to_string_lossy();
    let name = name.trim_start_matches("tokenizer-");
    let row = Row {
        component: "tokenizer",
        configuration: &format!("{name}, {} captions", captions.len()),
        dtype: "ids",
    };
    row.at_most("captions that differ", differ as f64, 0.0);
    row.at_most("captions whose truncation is missed", flags as f64, 0.0);
}
