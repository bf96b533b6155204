/* Threads that wait for work: it says "ready" when all do, and then hands each line of standard input to one of them, which
 * counts its letters or throws an exception. Answers come in the order of the lines. */
#include <cctype>
#include <condition_variable>
#include <deque>
#include <future>
#include <iostream>
#include <map>
#include <mutex>
#include <sstream>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace
{

using task = std::packaged_task<std::string()>;

class pool
{
      public:
	explicit pool(unsigned count)
	{
		for (unsigned i = 0; i < count; i++)
			threads.emplace_back([this] { work(); });
		std::unique_lock<std::mutex> hold(lock);
		changed.wait(hold, [this, count] { return waiting == count; });
	}

	~pool()
	{
		{
			std::lock_guard<std::mutex> hold(lock);
			closed = true;
		}
		changed.notify_all();
		for (auto &thread : threads)
			thread.join();
	}

	std::future<std::string> hand(task next)
	{
		auto answer = next.get_future();
		{
			std::lock_guard<std::mutex> hold(lock);
			tasks.push_back(std::move(next));
		}
		changed.notify_all();
		return answer;
	}

      private:
	void work()
	{
		std::unique_lock<std::mutex> hold(lock);

		for (;;) {
			waiting++;
			changed.notify_all();
			changed.wait(hold, [this] { return closed || !tasks.empty(); });
			waiting--;
			if (tasks.empty())
				return;
			task next = std::move(tasks.front());
			tasks.pop_front();
			hold.unlock();
			next();
			hold.lock();
		}
	}

	std::mutex lock;
	std::condition_variable changed;
	std::deque<task> tasks;
	std::vector<std::thread> threads;
	unsigned waiting = 0;
	bool closed = false;
};

std::string letters(const std::string &line)
{
	std::map<char, int> counts;
	std::ostringstream out;

	for (char c : line) {
		if (std::isdigit(static_cast<unsigned char>(c)))
			throw std::invalid_argument(std::string("a digit: ") + c);
		if (c != ' ')
			counts[c]++;
	}
	for (const auto &[letter, count] : counts)
		out << letter << count;
	return out.str();
}

} // namespace

int main()
{
	std::vector<std::future<std::string>> answers;
	std::string line;
	pool workers(4);

	std::cout << "ready" << std::endl;
	while (std::getline(std::cin, line))
		answers.push_back(workers.hand(task([line] { return letters(line); })));
	for (auto &answer : answers) {
		try {
			std::cout << answer.get() << "\n";
		} catch (const std::exception &error) {
			std::cout << "refused: " << error.what() << "\n";
		}
	}
	return 0;
}
