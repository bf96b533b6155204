// Goroutines that count words: they say "ready" when all wait, and then get the lines of standard input between them. What they
// counted is merged and printed in order.
package main

import (
	"bufio"
	"fmt"
	"os"
	"sort"
	"strings"
	"sync"
)

const counters = 8

func count(lines <-chan string, counts chan<- map[string]int, begun *sync.WaitGroup) {
	words := map[string]int{}
	begun.Done()
	for line := range lines {
		for _, word := range strings.Fields(line) {
			words[strings.ToLower(word)]++
		}
	}
	counts <- words
}

func main() {
	lines, counts := make(chan string), make(chan map[string]int, counters)
	var begun sync.WaitGroup
	begun.Add(counters)
	for i := 0; i < counters; i++ {
		go count(lines, counts, &begun)
	}
	begun.Wait()
	fmt.Println("ready")

	input := bufio.NewScanner(os.Stdin)
	for input.Scan() {
		lines <- input.Text()
	}
	close(lines)
	total := map[string]int{}
	for i := 0; i < counters; i++ {
		for word, n := range <-counts {
			total[word] += n
		}
	}
	words := make([]string, 0, len(total))
	for word := range total {
		words = append(words, word)
	}
	sort.Strings(words)
	for _, word := range words {
		fmt.Println(word, total[word])
	}
}
