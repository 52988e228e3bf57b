//! One network that answers several questions of an image.

use hardlight::classifier::TrainOptions;
use hardlight::world::caption::Aspect;
use hardlight::world::draw::draw;
use hardlight::world::face::WorldConfig;
use hardlight::world::judge::{Judge, value};
use hardlight::world::splits::describe;
use image::RgbImage;
use tch::Device;

#[test]
fn a_judge_learns_each_of_its_questions_and_is_read_again() {
    let dir = tempfile::tempdir().unwrap();
    let faces = |split, n| describe(&WorldConfig::INDEPENDENT, 3, split, n, None);
    let options = TrainOptions {
        steps: 240,
        ..TrainOptions::default()
    };
    let losses = std::cell::RefCell::new(Vec::new());
    let heard = |_, loss| losses.borrow_mut().push(loss);
    Judge::train(dir.path(), &faces("a", 512), &options, Device::Cpu, heard).unwrap();
    let losses: Vec<f64> = losses.into_inner();
    assert!(
        losses[239] < 0.6 * losses[0],
        "{} {}",
        losses[0],
        losses[239]
    );

    let judge = Judge::read(dir.path(), Device::Cpu).unwrap();
    let faces = faces("b", 256);
    let images: Vec<RgbImage> = faces.iter().map(draw).collect();
    let said = judge.values(&images).unwrap();
    // Chance is 1 in 8 and 1 in 2.
    for (aspect, least) in [(Aspect::Background, 0.6), (Aspect::Gender, 0.65)] {
        let right = faces.iter().zip(&said);
        let right = right.filter(|(f, v)| v[aspect as usize] == value(f, aspect));
        let share = right.count() as f64 / faces.len() as f64;
        assert!(share > least, "{aspect:?}: {share}");
    }
}
