//! Scratch.
use hardlight::classifier::{CnnConfig, TrainOptions, TrainingSet, train};
use hardlight::world::draw::draw;
use hardlight::world::face::{Age, Face};
use hardlight::world::preset::Preset;
use hardlight::world::splits::describe_population;
use image::RgbImage;
use tch::Device;
fn pictures(faces: &[Face]) -> Vec<RgbImage> { faces.iter().map(draw).collect() }
fn label(f: &Face) -> usize { usize::from(f.age == Age::Young) }
fn main() -> anyhow::Result<()> {
    let n = 12; let faces = describe_population(&Preset::Unknown.balanced(), 7, "look", n * 4);
    let mut page = RgbImage::new(n as u32 * 64, 256);
    for (i, image) in pictures(&faces).iter().enumerate() { image::imageops::replace(&mut page, image, (i % n) as i64 * 64, (i / n) as i64 * 64); }
    image::imageops::resize(&page, n as u32 * 128, 512, image::imageops::FilterType::Nearest).save("/tmp/faces.png")?;
    tch::set_num_threads(1);
    let n: usize = std::env::args().nth(1).unwrap().parse()?;
    let steps: Vec<usize> = std::env::args().nth(2).unwrap().split(',').map(|s| s.parse().unwrap()).collect();
    let config = CnnConfig::small(64, &["old", "young"]);
    let rho: Option<f64> = std::env::args().nth(3).map(|s| s.parse().unwrap());
    let only: Option<String> = std::env::args().nth(4);
    for preset in Preset::ALL {
        if only.as_ref().is_some_and(|o| !o.split(',').any(|o| o == preset.as_str())) { continue; }
        let mut train_of = preset.train();
        if train_of.rho.is_some() { train_of.rho = rho.or(train_of.rho); }
        for seed in 0..1u64 {
        let faces = describe_population(&train_of, 2024 + seed, "train", n);
        let test = describe_population(&preset.balanced(), 2024 + seed, "test", 1000);
        let mut set = TrainingSet::new(64);
        set.extend(&pictures(&faces), &faces.iter().map(label).collect::<Vec<_>>())?;
        for &steps in &steps {
            let options = TrainOptions { steps, batch: 64, lr: 1.5e-3, decay: 1e-2, seed, mirror: false };
            let (cnn, _) = train(&config, &set, &options, Device::Cpu, |_, _| {});
            let p = cnn.predict(&pictures(&test))?.classes();
            let acc = |keep: &dyn Fn(&Face) -> bool| {
                let (mut k, mut r) = (0, 0);
                for (f, p) in test.iter().zip(&p) { if keep(f) { k += 1; r += usize::from(*p == label(f)); } }
                (r as f64 / f64::from(k), k)
            };
            let old = |f: &Face| f.age == Age::Old;
            print!("{} seed {seed} steps {steps}: easy {:.3}", preset.as_str(), acc(&|f| !preset.is_hard(f)).0);
            print!("  hard old {:.3} ({}) young {:.3} ({})", acc(&|f| preset.is_hard(f) && old(f)).0, acc(&|f| preset.is_hard(f) && old(f)).1, acc(&|f| preset.is_hard(f) && !old(f)).0, acc(&|f| preset.is_hard(f) && !old(f)).1);
            if preset == Preset::Two {
                let g = |f: &Face| Preset::Gender.is_hard(f);
                let a = |f: &Face| if f.age == Age::Old { f.hat.is_some() } else { f.glasses };
                print!("  gender only {:.3}, accessory only {:.3} both {:.3}", acc(&|f| g(f) && !a(f)).0, acc(&|f| a(f) && !g(f)).0, acc(&|f| a(f) && g(f)).0);
            }
            println!();
        }
        }
    }
    Ok(())
}
