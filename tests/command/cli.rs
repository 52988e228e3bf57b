//! What the command line refuses: with which exit code, in which words, and leaving nothing behind.

use std::fmt::Write as _;
use std::fs;
use std::io::Cursor;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::common::{FACES, Hardlight, Work, copy, files, results, weights};
use hardlight::cli;
use hardlight::pipeline::settings::Settings;
use hardlight::run::lock::FolderLock;
use image::ImageFormat;
use safetensors::SafeTensors;

/// `hardlight COMMAND --out out` with few of everything random, without data and models.
fn bare(work: &Work, command: &str) -> Hardlight {
    work.hardlight([command, "--out", "out", "--device", "cpu"])
        .args(["--set", "direction.permutations=19"])
        .args(["--set", "direction.bootstrap=0"])
}

/// `hardlight detect` on a folder of images with CLIP.
fn detect(work: &Work) -> Hardlight {
    work.on_world("detect", "out").clip()
}

/// Nothing was made.
#[track_caller]
fn assert_nothing_made(work: &Work) {
    assert!(
        !work.path("out").exists(),
        "{:?}",
        files(&work.path("out")).keys()
    );
}

/// Adds a line to a text file.
fn append(path: &Path, line: &str) {
    let text = fs::read_to_string(path).unwrap();
    fs::write(path, format!("{text}{line}\n")).unwrap();
}

mod data {
    use super::*;

    #[test]
    fn a_missing_folder_is_named() {
        let work = Work::empty();
        let command = bare(&work, "detect").clip();
        let ran = command.args(["--data", "nowhere"]).run().exits(3);
        ran.complains(&["there is no folder nowhere: check the path"]);
        assert_nothing_made(&work);
    }

    #[test]
    fn no_data_at_all_is_wrong_usage() {
        let work = Work::empty();
        let ran = bare(&work, "detect").clip().run().exits(2);
        ran.complains(&["no data: give --data DIR (an ImageFolder) or --table FILE"]);
        assert_nothing_made(&work);
    }

    #[test]
    fn choices_of_a_published_data_set_need_one() {
        let work = Work::empty();
        for (args, words) in [
            (&["--label", "Male"][..], "give --dataset NAME"),
            (
                &["--dataset", "celeba"],
                "--dataset needs its folder: give --data DIR",
            ),
            (&["--dataset", "celeba", "--table", "t.csv"], "not both"),
            (
                &["--dataset", "mnist"],
                "use one of celeba, chestxray14, imagenet,",
            ),
        ] {
            let ran = bare(&work, "detect").clip().args(args).run().exits(2);
            ran.complains(&[words]);
        }
        assert_nothing_made(&work);
    }

    #[test]
    fn a_published_data_set_goes_through_detection() {
        let work = Work::with_world();
        fs::create_dir(work.path("celeba")).unwrap();
        fs::rename(work.path("faces"), work.path("celeba/img_align_celeba")).unwrap();
        let (mut attributes, mut partition, mut count) = (String::new(), String::new(), 0);
        for line in fs::read_to_string(work.path("truth.csv"))
            .unwrap()
            .lines()
            .skip(1)
        {
            let cells: Vec<&str> = line.split(',').collect();
            let sign = |yes| if yes { "1" } else { "-1" };
            let (old, woman) = (sign(cells[1] == "old"), sign(cells[3] == "woman"));
            let split = ["train", "val", "test"]
                .iter()
                .position(|name| *name == cells[2]);
            writeln!(attributes, "{} {old} {woman}", cells[0]).unwrap();
            writeln!(partition, "{} {}", cells[0], split.unwrap()).unwrap();
            count += 1;
        }
        work.write(
            "celeba/list_attr_celeba.txt",
            format!("{count}\nOld Woman\n{attributes}"),
        );
        work.write("celeba/list_eval_partition.txt", partition);
        let predictions = fs::read_to_string(work.path("predictions.csv")).unwrap();
        work.write("predictions.csv", predictions.replacen("path,", "id,", 1));
        let command =
            bare(&work, "detect")
                .clip()
                .args(["--dataset", "celeba", "--root", "celeba"]);
        let command = command.args(["--label", "Old", "--group", "Woman"]);
        let command = command.args(["--predictions", "predictions.csv"]);
        let command = command.args(["--set", r#"data.classes=["young", "old"]"#]);
        command.run().exits(0);
        let report = fs::read_to_string(work.path("out/report.json")).unwrap();
        let report: serde_json::Value = serde_json::from_str(&report).unwrap();
        let classes: Vec<&str> = report["classes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|c| c["class"].as_str().unwrap())
            .collect();
        assert_eq!(classes, ["young", "old"]);
        let hardest = &report["classes"][1]["most_aligned_mistakes"][0];
        assert_eq!(hardest["group"], "Woman", "old women are what is wrong");
    }

    #[test]
    fn a_folder_without_splits_is_told_what_is_expected() {
        let work = Work::empty();
        fs::create_dir_all(work.path("photos/holiday")).unwrap();
        let command = bare(&work, "detect").clip();
        let ran = command.args(["--data", "photos"]).run().exits(3);
        ran.complains(&[
            "photos has no folder named train, val, test or pool",
            "holiday",
        ]);
        assert_nothing_made(&work);
    }

    #[test]
    fn an_empty_class_is_named() {
        let work = Work::with_world();
        fs::create_dir(work.path("faces/val/ageless")).unwrap();
        let ran = detect(&work).run().exits(3);
        ran.complains(&["class folder faces/val/ageless has no images: fill it or remove it"]);
        assert_nothing_made(&work);
    }

    #[test]
    fn an_unknown_label_is_named_with_its_line_and_what_would_do() {
        let work = Work::with_world();
        append(&work.path("truth.csv"), "val/old/00000.png,ancient,val,man");
        let command = work.on_world("detect", "out").clip();
        let command = command.args(["--table", "truth.csv"]);
        let command = command.args(["--set", r#"data.classes=["old", "young"]"#]);
        let line = 2 + FACES.train + FACES.val + FACES.test;
        command.run().exits(3).complains(&[
            &format!("truth.csv, line {line}"),
            "\"label\": unknown class \"ancient\"",
            "the classes are old, young",
        ]);
        assert_nothing_made(&work);
    }

    #[test]
    fn a_path_that_leaves_the_data_is_refused() {
        for path in ["../secret.png", "/etc/passwd", "val/../../secret.png"] {
            let work = Work::with_world();
            append(&work.path("truth.csv"), &format!("{path},old,val,man"));
            let command = work.on_world("detect", "out").clip();
            let ran = command.args(["--table", "truth.csv"]).run().exits(3);
            ran.complains(&["truth.csv, line ", path, "it must be relative to the root"]);
            assert_nothing_made(&work);
        }
    }

    #[test]
    fn a_prediction_for_an_unknown_image_is_named_with_its_line() {
        let work = Work::with_world();
        // In place of the last: then an image lacks a prediction, and this row may be its.
        let path = work.path("predictions.csv");
        let text = fs::read_to_string(&path).unwrap();
        let (kept, _) = text.trim_end().rsplit_once('\n').unwrap();
        fs::write(&path, format!("{kept}\n")).unwrap();
        append(&path, "val/old/99999.png,young,0.7");
        let line = 1 + FACES.val + FACES.test;
        detect(&work).run().exits(3).complains(&[
            &format!("predictions.csv, line {line}"),
            "no example has path \"val/old/99999.png\": remove the row",
        ]);
        assert_nothing_made(&work);
    }

    #[test]
    fn without_predictions_there_is_nothing_to_learn_from() {
        let work = Work::with_world();
        let command = bare(&work, "detect").clip();
        let ran = command.args(["--data", "faces"]).run().exits(3);
        ran.complains(&["no predictions for val: give --predictions FILE"]);
        assert_nothing_made(&work);
    }

    /// An image of the train split, cut in half; whole again, the same command works.
    fn half_an_image(format: ImageFormat, name: &str, kind: &str) {
        let work = Work::with_world();
        let portrait = files(&work.path("faces/train/old")).into_values().next();
        let portrait = image::load_from_memory(&portrait.unwrap())
            .unwrap()
            .to_rgb8();
        let mut whole = Cursor::new(Vec::new());
        portrait.write_to(&mut whole, format).unwrap();
        let whole = whole.into_inner();
        let image = format!("faces/train/old/{name}");
        let path = work.write(&image, &whole[..whole.len() / 2]);
        detect(&work).run().exits(3).complains(&[
            &format!("{image} could not be decoded: replace it, take it out"),
            &format!(
                "truncated {kind}: the file ends after {} bytes",
                whole.len() / 2
            ),
        ]);
        let left: Vec<String> = files(&work.path("out")).into_keys().collect();
        assert_eq!(left, [".lock", "run.json", "run.log"], "no results");
        fs::write(&path, &whole).unwrap();
        detect(&work)
            .run()
            .exits(0)
            .says(&["report    out/report.json"]);
    }

    #[test]
    fn half_a_jpeg_is_named() {
        half_an_image(ImageFormat::Jpeg, "half.jpg", "JPEG");
    }

    #[test]
    fn half_a_png_is_named() {
        half_an_image(ImageFormat::Png, "half.png", "PNG");
    }
}

mod own_embeddings {
    use super::*;

    /// A `.npy` of `[rows, 2]`.
    fn npy(rows: usize, value: impl Fn(usize, usize) -> f32) -> Vec<u8> {
        let text = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({rows}, 2), }}");
        let header = format!("{text:<117}\n");
        let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
        bytes.extend(u16::try_from(header.len()).unwrap().to_le_bytes());
        bytes.extend(header.as_bytes());
        for row in 0..rows {
            bytes.extend((0..2).flat_map(|column| value(row, column).to_le_bytes()));
        }
        bytes
    }

    /// Some numbers without NaN.
    fn some(row: usize, column: usize) -> f32 {
        (row * (3 + column) % 17) as f32
    }

    const ROWS: usize = FACES.train + FACES.val + FACES.test;

    fn detect_in(work: &Work, bytes: Vec<u8>) -> crate::common::Ran {
        work.write("own.npy", bytes);
        work.on_world("detect", "out")
            .args(["--space", "own.npy"])
            .run()
    }

    #[test]
    fn sound_ones_are_taken() {
        let work = Work::with_world();
        detect_in(&work, npy(ROWS, some)).exits(0);
        assert!(work.path("out/directions.json").exists());
    }

    #[test]
    fn nan_is_named_with_row_and_column() {
        let work = Work::with_world();
        let hurt = |row, column| {
            if (row, column) == (5, 1) {
                f32::NAN
            } else {
                some(row, column)
            }
        };
        let ran = detect_in(&work, npy(ROWS, hurt)).exits(3);
        ran.complains(&[
            "own.npy",
            "row 5 (test/old/00014.png), column 1 is NaN: embed that example again or drop it",
        ]);
        assert_nothing_made(&work);
    }

    #[test]
    fn too_few_rows_are_counted() {
        let work = Work::with_world();
        let ran = detect_in(&work, npy(7, some)).exits(3);
        ran.complains(&[
            "own.npy has 7 rows",
            &format!("{ROWS} examples: they must be as many"),
        ]);
        assert_nothing_made(&work);
    }

    #[test]
    fn a_pickle_is_refused_with_what_to_convert_it_to() {
        let work = Work::with_world();
        let ran = detect_in(
            &work,
            b"\x80\x04\x95\x00\x00\x00\x00\x00\x00\x00\x00.".to_vec(),
        )
        .exits(3);
        ran.complains(&[
            "own.npy",
            "can run code when it is opened: convert to .safetensors",
        ]);
        assert_nothing_made(&work);
    }
}

mod models {
    use super::*;

    /// Takes the first tensor out of a checkpoint; gives its name.
    fn drop_one(path: &Path) -> String {
        let bytes = fs::read(path).unwrap();
        let tensors = SafeTensors::deserialize(&bytes).unwrap();
        let mut kept = tensors.tensors();
        kept.sort_by(|a, b| a.0.cmp(&b.0));
        let (name, _) = kept.remove(0);
        fs::write(path, safetensors::serialize(kept, None).unwrap()).unwrap();
        name
    }

    /// A run with models of its own.
    fn run(work: &Work) -> crate::common::Ran {
        for part in ["clip", "diffusion"] {
            if !work.path(part).exists() {
                copy(&weights(part), &work.path(part));
            }
        }
        let command = work.on_world("run", "out");
        let command = command.args(["--grammar", "world", "--steps", "2", "--quota", "1"]);
        command
            .args(["--clip", "clip", "--model", "diffusion"])
            .run()
    }

    const CHECKPOINTS: [&str; 4] = [
        "clip/model.safetensors",
        "diffusion/text_encoder/model.safetensors",
        "diffusion/unet/diffusion_pytorch_model.safetensors",
        "diffusion/vae/diffusion_pytorch_model.safetensors",
    ];

    #[test]
    fn a_missing_tensor_is_named() {
        for checkpoint in CHECKPOINTS {
            let work = Work::with_world();
            copy(&weights("clip"), &work.path("clip"));
            copy(&weights("diffusion"), &work.path("diffusion"));
            let name = drop_one(&work.path(checkpoint));
            run(&work).exits(3).complains(&[
                checkpoint,
                "the tensors do not fit the config, take both from the same model",
                &format!("missing  {name} ["),
            ]);
            assert_nothing_made(&work);
        }
    }

    #[test]
    fn a_pickle_under_another_name_is_refused_and_not_run() {
        for checkpoint in CHECKPOINTS {
            let work = Work::with_world();
            copy(&weights("clip"), &work.path("clip"));
            copy(&weights("diffusion"), &work.path("diffusion"));
            // Python's pickle would run this: posix.system("touch ran").
            let shell = format!("touch {}", work.path("ran").display());
            let mut pickle = b"\x80\x02cposix\nsystem\nX".to_vec();
            pickle.extend(u32::try_from(shell.len()).unwrap().to_le_bytes());
            pickle.extend(shell.as_bytes());
            pickle.extend(b"\x85R.");
            work.write(checkpoint, pickle);
            run(&work).exits(3).complains(&[
                checkpoint,
                "is a PyTorch pickle, not .safetensors",
                "safetensors.torch.save_file",
            ]);
            assert!(!work.path("ran").exists());
            assert_nothing_made(&work);
        }
    }

    #[test]
    fn a_model_that_comes_as_pickles_only_is_refused_with_how_to_save_it() {
        let work = Work::with_world();
        copy(&weights("diffusion"), &work.path("diffusion"));
        let vae = work.path("diffusion/vae");
        let weights = vae.join("diffusion_pytorch_model.safetensors");
        fs::rename(weights, vae.join("diffusion_pytorch_model.bin")).unwrap();
        run(&work).exits(3).complains(&[
            "diffusion/vae has no diffusion_pytorch_model.safetensors",
            "but diffusion_pytorch_model.bin, a pickle",
            "safe_serialization=True",
        ]);
        assert_nothing_made(&work);
    }

    #[test]
    fn missing_folders_are_named() {
        let work = Work::with_world();
        let command = work.on_world("detect", "out");
        let ran = command.args(["--clip", "no/clip"]).run().exits(3);
        ran.complains(&["there is no folder no/clip", "HF_HUB_OFFLINE"]);
        let command = work.on_world("run", "out").clip();
        let ran = command.args(["--model", "no/model"]).run().exits(3);
        ran.complains(&["there is no folder no/model", "HF_HUB_OFFLINE"]);
        let command = work.on_world("run", "out").clip();
        let ran = command.args(["--model", "nothing"]).run().exits(3);
        ran.complains(&["model folder nothing does not exist"]);
        assert_nothing_made(&work);
    }

    #[test]
    fn without_a_space_for_directions_it_is_wrong_usage() {
        let work = Work::with_world();
        let ran = work.on_world("detect", "out").run().exits(2);
        ran.complains(&["directions need a space: give --clip DIR"]);
        assert_nothing_made(&work);
    }
}

mod output {
    use super::*;

    #[cfg(target_os = "linux")]
    #[test]
    fn a_disk_that_cannot_be_written_ends_it_with_6() {
        let work = Work::with_world();
        // Nobody makes folders in sysfs, root neither.
        let out = "/sys/hardlight-test/out";
        let ran = work.on_world("detect", out).clip().run().exits(6);
        ran.complains(&["could not write /sys/hardlight-test", "because: "]);
        assert!(!Path::new(out).exists());
    }

    #[test]
    fn a_path_below_a_file_is_no_folder() {
        let work = Work::with_world();
        let before = fs::read(work.path("truth.csv")).unwrap();
        let ran = work
            .on_world("detect", "truth.csv/out")
            .clip()
            .run()
            .exits(3);
        ran.complains(&["truth.csv/out is not a folder: choose another path"]);
        let ran = work.on_world("detect", "truth.csv").clip().run().exits(3);
        ran.complains(&["truth.csv is not a folder: choose another path"]);
        assert_eq!(fs::read(work.path("truth.csv")).unwrap(), before);
    }

    #[test]
    fn a_folder_with_other_files_is_not_touched() {
        let work = Work::with_world();
        work.write("out/thesis.txt", "years of work");
        for more in [[].as_slice(), &["--force-new"]] {
            let ran = detect(&work).args(more).run().exits(3);
            ran.complains(&[
                "out holds \"thesis.txt\" and no run.json",
                "choose a new or an empty one",
            ]);
        }
        let left: Vec<_> = files(&work.path("out")).into_iter().collect();
        assert_eq!(left, [("thesis.txt".to_owned(), b"years of work".to_vec())]);
    }

    #[test]
    fn a_folder_in_use_is_refused_naming_who_uses_it() {
        let work = Work::with_world();
        fs::create_dir(work.path("out")).unwrap();
        let lock = FolderLock::acquire(&work.path("out")).unwrap();
        assert!(lock.is_held(), "this test needs a file system with locks");
        let owner = format!(
            "out is in use by hardlight: process {} on ",
            std::process::id()
        );
        let ran = detect(&work).run().exits(3);
        ran.complains(&[&owner, "wait until it ends, or choose another folder"]);
        let left: Vec<String> = files(&work.path("out")).into_keys().collect();
        assert_eq!(left, [".lock"]);
        drop(lock);
        detect(&work).run().exits(0);
    }

    #[test]
    fn a_folder_of_another_configuration_is_refused_with_what_differs() {
        let work = Work::with_world();
        detect(&work).run().exits(0);
        let before = results(&work.path("out"));
        let other = || detect(&work).args(["--seed", "1", "--set", "direction.folds=3"]);
        let ran = other().run().exits(3).complains(&[
            "out holds another run",
            "--force-new",
            "directions.folds: 2 → 3",
            "seed: 0 → 1",
        ]);
        assert_eq!(ran.stderr.matches(" → ").count(), 2, "{ran}");
        crate::common::assert_same(&results(&work.path("out")), &before);
        // The way out works, and loses nothing.
        other().args(["--force-new"]).run().exits(0);
        let after = results(&work.path("out"));
        for (name, bytes) in before
            .iter()
            .filter(|(name, _)| !name.starts_with("embeddings/"))
        {
            assert!(
                after.get(&format!("former/1/{name}")) == Some(bytes) || name == "summary.json",
                "{name}"
            );
        }
        assert!(after.contains_key("former/1/summary.json"));
        assert_ne!(after["directions.json"], before["directions.json"]);
    }

    #[test]
    fn what_is_no_run_folder_is_not_verified_or_drawn() {
        let work = Work::empty();
        work.write("photos/a.txt", "a");
        for command in ["verify", "preview", "report"] {
            let ran = work.hardlight([command, "photos"]).run().exits(3);
            ran.complains(&["photos is no run folder: it holds no run.json"]);
        }
        assert_eq!(files(&work.path("photos")).len(), 1);
    }
}

mod settings {
    use super::*;

    #[test]
    fn an_unknown_key_is_named_with_file_and_line() {
        let work = Work::with_world();
        work.write("my.toml", "seed = 1\n\n[generate]\nstps = 3\n");
        let ran = detect(&work).args(["--config", "my.toml"]).run().exits(2);
        ran.complains(&["settings in my.toml", "line 4", "stps", "hardlight init"]);
        let ran = detect(&work)
            .args(["--set", "generate.stps=3"])
            .run()
            .exits(2);
        ran.complains(&["--set", "stps", "`steps`"]);
        assert_nothing_made(&work);
    }

    #[test]
    fn a_value_out_of_range_is_named_with_what_is_allowed() {
        let work = Work::with_world();
        let ran = detect(&work).args(["--steps", "0"]).run().exits(2);
        ran.complains(&["generate.steps is 0: expected at least 1"]);
        let ran = detect(&work)
            .args(["--set", "direction.folds=1"])
            .run()
            .exits(2);
        ran.complains(&["folds is 1: expected at least 2"]);
        assert_nothing_made(&work);
    }

    #[test]
    fn an_unknown_scheduler_is_named_with_those_there_are() {
        let work = Work::with_world();
        let command = work.on_world("run", "out").clip().model();
        let command = command.args(["--grammar", "world", "--scheduler", "eulerr"]);
        let ran = command.run().exits(2);
        ran.complains(&["unknown scheduler `eulerr`", "euler-ancestral", "dpm++"]);
        assert_nothing_made(&work);
    }

    #[test]
    fn an_unknown_grammar_or_device_is_named_with_those_there_are() {
        let work = Work::with_world();
        let command = work.on_world("captions", "out").clip();
        let ran = command.args(["--grammar", "wrld"]).run().exits(2);
        ran.complains(&["grammar \"wrld\" is neither a file nor one of", "\"world\""]);
        let command = work.hardlight([
            "detect", "--out", "out", "--data", "faces", "--device", "tpu",
        ]);
        let ran = command.run().exits(2);
        ran.complains(&["device tpu: expected auto, cpu, cuda or cuda:N"]);
        assert_nothing_made(&work);
    }

    #[test]
    fn what_init_prints_is_a_settings_file_with_the_defaults() {
        let work = Work::empty();
        let ran = work.hardlight(["init"]).run().exits(0);
        assert_eq!(ran.stderr, "", "{ran}");
        let path = work.write("printed.toml", &ran.stdout);
        assert_eq!(
            Settings::read(Some(&path), &[]).unwrap(),
            Settings::default()
        );
        work.hardlight(["init", "--out", "hardlight.toml"])
            .run()
            .exits(0);
        assert_eq!(
            fs::read_to_string(work.path("hardlight.toml")).unwrap(),
            ran.stdout
        );
    }

    #[test]
    fn init_replaces_no_file_unless_forced() {
        let work = Work::empty();
        work.write("hardlight.toml", "seed = 7\n");
        let ran = work
            .hardlight(["init", "--out", "hardlight.toml"])
            .run()
            .exits(3);
        ran.complains(&["hardlight.toml is there already: --force replaces it"]);
        assert_eq!(
            fs::read(work.path("hardlight.toml")).unwrap(),
            b"seed = 7\n"
        );
        let forced = work.hardlight(["init", "--force", "--out", "hardlight.toml"]);
        forced.run().exits(0);
        assert!(files(work.root())["hardlight.toml"].len() > 500);
        assert_eq!(files(work.root()).len(), 1);
    }

    #[test]
    fn flags_win_over_the_settings_file() {
        let work = Work::with_world();
        work.write(
            "my.toml",
            "seed = 5\n[direction]\nfolds = 3\n[captions]\nper_class = 2\n",
        );
        let command = detect(&work).args(["--config", "my.toml", "--seed", "6"]);
        command
            .args(["--set", "captions.per_class=4"])
            .run()
            .exits(0);
        let text = fs::read(work.path("out/run.json")).unwrap();
        let settings = &serde_json::from_slice::<serde_json::Value>(&text).unwrap()["settings"];
        assert_eq!(settings["seed"], 6);
        assert_eq!(settings["captions"]["per_class"], 4);
        assert_eq!(settings["direction"]["folds"], 3);
    }
}

mod terminal {
    use super::*;

    #[test]
    fn every_command_has_help_with_an_example() {
        let work = Work::empty();
        let mut names = Vec::new();
        for command in cli::command().get_subcommands() {
            let name = command.get_name();
            let ran = work.hardlight([name, "--help"]).run().exits(0);
            assert_eq!(ran.stderr, "", "{ran}");
            // Long lines are wrapped.
            let text = ran.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(text.contains("Example:"), "no example in {ran}");
            let example = text.split("Example:").nth(1).unwrap();
            assert!(
                example
                    .trim_start()
                    .starts_with(&format!("`hardlight {name}")),
                "{ran}"
            );
            for argument in command.get_arguments() {
                let id = argument.get_id();
                let help = argument
                    .get_help()
                    .unwrap_or_else(|| panic!("{name} {id}: no help"));
                let help = help.to_string();
                assert_eq!(help.lines().count(), 1, "{name} {id}: {help}");
                if let Some(long) = argument.get_long() {
                    assert!(text.contains(&format!("--{long}")), "no --{long} in {ran}");
                }
            }
            names.push(name.to_owned());
        }
        let all = work.hardlight(["--help"]).run().exits(0);
        for name in &names {
            assert!(all.stdout.contains(name), "no {name} in {all}");
        }
        for name in [
            "run", "detect", "captions", "demo", "init", "preview", "report", "verify", "doctor",
        ] {
            assert!(names.iter().any(|there| there == name), "{names:?}");
        }
    }

    #[test]
    fn results_go_to_stdout_and_progress_to_stderr() {
        let work = Work::with_world();
        let loud = detect(&work).run().exits(0);
        let progress = [
            "embed train: done",
            "embed val: done",
            "learning directions",
        ];
        for text in progress {
            assert!(loud.stderr.contains(text), "{loud}");
        }
        for text in progress.iter().copied().chain(["warning", "done in"]) {
            assert!(!loud.stdout.contains(text), "{loud}");
        }
        let loud = loud.says(&["class ", "accuracy per tenth", "summary   out/summary.json"]);
        let quiet = detect(&work).args(["--quiet"]).run().exits(0);
        assert_eq!(quiet.stdout, loud.stdout);
        for line in quiet.stderr.lines() {
            assert!(line.starts_with("warning: "), "{quiet}");
        }
        // Nothing is lost: the log has it all.
        let log = fs::read_to_string(work.path("out/run.log")).unwrap();
        assert_eq!(log.matches("learning directions").count(), 2, "{log}");
    }

    #[test]
    fn a_reader_that_has_seen_enough_is_no_failure() {
        let mut child = Command::new(env!("CARGO_BIN_EXE_hardlight"))
            .arg("doctor")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let ended = child.wait_with_output().unwrap();
        let stderr = String::from_utf8(ended.stderr).unwrap();
        assert_eq!((ended.status.code(), stderr.as_str()), (Some(0), ""));
    }
}
