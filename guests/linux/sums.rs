//! Threads that add: they say "ready" when all wait at a channel, and then get the lines of standard input in turn. A line is
//! numbers to add; one that isn't makes its thread panic, which is an answer, too. Answers come in the order of the lines.
use std::collections::BTreeMap;
use std::io::BufRead;
use std::panic;
use std::sync::mpsc;
use std::sync::{Arc, Barrier};
use std::thread;

const THREADS: usize = 4;

fn sum(line: &str) -> i128 {
    line.split_whitespace()
        .map(|number| number.parse::<i128>().expect("not a number"))
        .sum()
}

fn main() {
    let begun = Arc::new(Barrier::new(THREADS + 1));
    let (answer, answers) = mpsc::channel();
    let mut queues = Vec::new();
    let mut threads = Vec::new();

    panic::set_hook(Box::new(|_| {}));
    for _ in 0..THREADS {
        let (queue, lines) = mpsc::channel::<(usize, String)>();
        let (answer, begun) = (answer.clone(), begun.clone());
        queues.push(queue);
        threads.push(thread::spawn(move || {
            begun.wait();
            for (number, line) in lines {
                let result = panic::catch_unwind(|| sum(&line));
                answer.send((number, result.ok())).unwrap();
            }
        }));
    }
    drop(answer);
    begun.wait();
    println!("ready");

    for (number, line) in std::io::stdin().lock().lines().enumerate() {
        queues[number % THREADS]
            .send((number, line.unwrap()))
            .unwrap();
    }
    drop(queues);
    for (_, result) in answers.iter().collect::<BTreeMap<_, _>>() {
        match result {
            Some(sum) => println!("{sum}"),
            None => println!("refused"),
        }
    }
    for thread in threads {
        thread.join().unwrap();
    }
}
