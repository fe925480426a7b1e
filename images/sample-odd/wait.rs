//! Says that it runs, and waits for a signal that ends it.

fn main() {
    println!("waiting");
    loop {
        std::thread::park();
    }
}
