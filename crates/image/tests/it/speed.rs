use std::time::Instant;
use boltworks_fsx::*;
use crate::kit::*;
fn cpu() -> f64 { let s = std::fs::read_to_string("/proc/self/schedstat").unwrap(); let _ = s; let t = std::fs::read_to_string("/proc/self/stat").unwrap(); let f: Vec<&str> = t.rsplit(')').next().unwrap().split_whitespace().collect(); (f[11].parse::<f64>().unwrap()+f[12].parse::<f64>().unwrap())*10.0 }
#[test]
fn speed() {
    let mut site = Site::new();
    let mut total = 0;
    for (i, chunk) in ["/bin/bash /usr/bin/gawk", "/lib/x86_64-linux-gnu/libc.so.6", "/usr/lib/x86_64-linux-gnu/libcrypto.so.3", "/etc/ssl/certs/ca-certificates.crt /usr/bin/gpg"].iter().enumerate() {
        let mut p = Package::new(&format!("p{i}"), "1-r0");
        for f in chunk.split(' ') {
            if let Ok(b) = std::fs::read(f) { total += b.len(); if total > 5_300_000 { total -= b.len(); continue; } p = p.file(&f[1..], 0o755, b); }
        }
        for k in 0..20 { p = p.file(&format!("usr/share/p{i}/{k}"), 0o644, format!("file {k}").repeat(50)); }
        site.add(p);
    }
    println!("total {total}");
    let img = boltworks_recipe::resolved::Image { packages: vec!["p0".parse().unwrap()], ..Default::default() };
    for threads in [2] {
        let mut best = [f64::MAX; 4];
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let scratch = Root::create(&site.path().join("scratch")).unwrap();
        let c0 = cpu(); let n = 60;
        for _ in 0..n {
            let t = Instant::now();
            let b = site.build(&img, threads).unwrap();
            best[0] = best[0].min(t.elapsed().as_secs_f64()*1000.0);
        }
        println!("{threads} whole: {:.1} ms, cpu per run {:.1} ms", best[0], (cpu()-c0)/n as f64);
        let c0 = cpu();
        for _ in 0..n {
            let t = Instant::now();
            let o = pool.install(|| boltworks_rootfs::open_locked(&site.locked, &site.store, &scratch)).unwrap();
            best[1] = best[1].min(t.elapsed().as_secs_f64()*1000.0);
        }
        println!("{threads} open: {:.1} ms, cpu per run {:.1} ms", best[1], (cpu()-c0)/n as f64);
        let o = pool.install(|| boltworks_rootfs::open_locked(&site.locked, &site.store, &scratch)).unwrap();
        let req = boltworks_image::ImageRequest { name: "web", tag: None, vendor: "x", image: &img, architecture: boltworks_model::Architecture::X86_64, locked: &site.locked, keyring: &site.keyring, created: None };
        let c0 = cpu();
        for _ in 0..n {
            let t = Instant::now();
            let o = boltworks_image::tree::compose(&req, &o).unwrap();
            best[2] = best[2].min(t.elapsed().as_secs_f64()*1000.0);
        }
        println!("{threads} compose: {:.1} ms, cpu per run {:.1} ms", best[2], (cpu()-c0)/n as f64);
        let tree = boltworks_image::tree::compose(&req, &o).unwrap();
        let c0 = cpu();
        for _ in 0..n {
            let t = Instant::now();
            let mut batch = site.store.batch();
            pool.install(|| boltworks_image::layer::write(&tree, &site.store, &mut batch)).unwrap();
            best[3] = best[3].min(t.elapsed().as_secs_f64()*1000.0);
        }
        println!("{threads} layer: {:.1} ms, cpu per run {:.1} ms", best[3], (cpu()-c0)/n as f64);
    }
}
#[test]
fn levels() {
    use flate2::*;
    let mut data = Vec::new();
    for f in ["/bin/bash","/usr/bin/gawk","/lib/x86_64-linux-gnu/libc.so.6","/etc/ssl/certs/ca-certificates.crt","/usr/bin/gpg"] { if let Ok(b) = std::fs::read(f) { data.extend(b); } }
    for level in [1,2,3,4,5,6,7,9] {
        let mut best = f64::MAX; let mut size = 0;
        for _ in 0..8 {
            let c = cpu_ns();
            size = 0;
            let mut comp = Compress::new(Compression::new(level), false);
            for (i, block) in data.chunks(128<<10).enumerate() {
                comp.reset();
                if i > 0 { let s = i*(128<<10); comp.set_dictionary(&data[s-32768..s]).unwrap(); }
                let mut out = Vec::with_capacity(block.len()+1000);
                comp.compress_vec(block, &mut out, FlushCompress::Sync).unwrap();
                size += out.len();
            }
            best = best.min((cpu_ns()-c) as f64/1e6);
        }
        println!("level {level}: {best:.1} ms cpu for {} -> {size} ({:.1} MB/s)", data.len(), data.len() as f64/best/1000.0);
    }
}
fn cpu_ns() -> u64 { std::fs::read_to_string("/proc/thread-self/schedstat").unwrap().split(' ').next().unwrap().parse().unwrap() }
#[test]
fn parts() {
    use std::io::Write;
    let mut data = Vec::new();
    for f in ["/bin/bash","/usr/bin/gawk","/lib/x86_64-linux-gnu/libc.so.6","/etc/ssl/certs/ca-certificates.crt","/usr/bin/gpg"] { if let Ok(b) = std::fs::read(f) { data.extend(b); } }
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    let m = |name: &str, f: &mut dyn FnMut()| { let c = cpu(); for _ in 0..60 { f(); } println!("part {name}: {:.2} ms", (cpu()-c)/60.0); };
    m("gzip", &mut || { pool.install(|| { }); let mut g = boltworks_image::gzip::Gzip::new(std::io::sink()).unwrap(); g.write_all(&data).unwrap(); g.finish().unwrap(); });
    m("sha256", &mut || { boltworks_crypto::sha256(&data); });
    m("sha1", &mut || { boltworks_crypto::sha1(&data); });
    m("crc", &mut || { let mut c = flate2::Crc::new(); c.update(&data); std::hint::black_box(c.sum()); });
    let f = tempfile::tempfile().unwrap();
    m("write", &mut || { use std::os::unix::fs::FileExt; for (i, b) in data.chunks(256<<10).enumerate() { f.write_all_at(b, (i*(256<<10)) as u64).unwrap(); } });
    m("write tmp new", &mut || { use std::os::unix::fs::FileExt; let f = tempfile::tempfile().unwrap(); for (i, b) in data.chunks(256<<10).enumerate() { f.write_all_at(b, (i*(256<<10)) as u64).unwrap(); } });
    m("read", &mut || { use std::os::unix::fs::FileExt; let mut buf = vec![0; 256<<10]; for (i, _) in data.chunks(256<<10).enumerate() { f.read_at(&mut buf, (i*(256<<10)) as u64).unwrap(); } });
    let mut e = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(6)); e.write_all(&data).unwrap(); let z = e.finish().unwrap();
    m("inflate", &mut || { let mut out = std::io::sink(); let mut r = flate2::read::GzDecoder::new(&z[..]); let mut buf = vec![0u8; 128<<10]; loop { use std::io::Read; let n = r.read(&mut buf).unwrap(); if n == 0 { break } out.write_all(&buf[..n]).unwrap(); } });
}
