/* The command of the simulation: which seeds, on how many processes, and what they have reached.
 *
 *   simulation [--seeds COUNT] [--from SEED] [--jobs N]     many seeds
 *   simulation --seed SEED [--trace]                        one of them again
 *
 * Each process of many tells in shared memory which seed it is at, so that a crash has a seed too.
 */
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sim.h"

#define JOBS_MOST 64
#define SEED_SECONDS 60 /* a seed that takes longer has hung: most take a millisecond */

struct shared {
    uint64_t at[JOBS_MOST]; /* the seed that each process is at */
    uint64_t reached[JOBS_MOST][SIM_EVENT_COUNT];
};

static const char *const event_names[] = {
#define X(name) #name,
    SIM_EVENTS(X)
#undef X
};

static void run_share(struct shared *shared, uint32_t me, uint32_t jobs, uint64_t from,
                      uint64_t count)
{
    for (uint64_t i = me; i < count; i += jobs) {
        shared->at[me] = from + i;
        alarm(SEED_SECONDS);
        run_seed(from + i, false, shared->reached[me]);
    }
    exit(0);
}

/* True: all seeds of the process went well. */
static bool went_well(const struct shared *shared, uint32_t me, pid_t pid)
{
    int state;
    if (waitpid(pid, &state, 0) != pid)
        return false;
    if (WIFSIGNALED(state))
        fprintf(stderr, "seed %llu: %s\n  again: simulation --seed %llu --trace\n",
                (unsigned long long)shared->at[me],
                WTERMSIG(state) == SIGALRM ? "hung" : strsignal(WTERMSIG(state)),
                (unsigned long long)shared->at[me]);
    return WIFEXITED(state) && WEXITSTATUS(state) == 0;
}

/* False: the seeds were many, and something that they are to try never came to pass. */
static bool print_reached(const struct shared *shared, uint32_t jobs, uint64_t count)
{
    bool all = true;
    for (int e = 0; e < SIM_EVENT_COUNT; e++) {
        uint64_t sum = 0;
        for (uint32_t i = 0; i < jobs; i++)
            sum += shared->reached[i][e];
        printf("%s%llu %s", e ? ", " : "reached: ", (unsigned long long)sum, event_names[e]);
        all &= sum > 0;
    }
    putchar('\n');
    if (!all && count >= 1000)
        fprintf(stderr, "%llu seeds have not reached everything\n", (unsigned long long)count);
    return all || count < 1000;
}

static int run_many(uint64_t from, uint64_t count, uint32_t jobs)
{
    pid_t pids[JOBS_MOST];
    struct shared *shared =
        mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED) {
        perror("simulation: shared memory");
        return 2;
    }
    uint64_t began = clock_now();
    for (uint32_t i = 0; i < jobs; i++) {
        fflush(NULL);
        pids[i] = fork();
        if (pids[i] == 0)
            run_share(shared, i, jobs, from, count);
    }
    bool well = true;
    for (uint32_t i = 0; i < jobs; i++)
        well &= pids[i] > 0 && went_well(shared, i, pids[i]);
    double seconds = (double)(clock_now() - began) / 1e9;
    well &= print_reached(shared, jobs, well ? count : 0);
    printf("%llu seeds from %llu in %.1f s, %.0f a second: %s\n", (unsigned long long)count,
           (unsigned long long)from, seconds, (double)count / seconds,
           well ? "no rule was broken" : "BROKEN, see above");
    munmap(shared, sizeof *shared);
    return well ? 0 : 1;
}

static uint64_t number(const char *text)
{
    char *end;
    uint64_t value = strtoull(text ? text : "", &end, 10);
    if (!text || end == text || *end) {
        fprintf(stderr, "simulation: \"%s\" is not a number\n", text ? text : "");
        exit(2);
    }
    return value;
}

int main(int argc, char **argv)
{
    uint64_t count = 2000, from = 1, one = 0;
    uint32_t jobs = (uint32_t)sysconf(_SC_NPROCESSORS_ONLN);
    bool trace = false;
    for (int i = 1; i < argc; i++) {
        const char *word = argv[i];
        if (!strcmp(word, "--trace"))
            trace = true;
        else if (!strcmp(word, "--seed"))
            one = number(argv[++i]);
        else if (!strcmp(word, "--seeds"))
            count = number(argv[++i]);
        else if (!strcmp(word, "--from"))
            from = number(argv[++i]);
        else if (!strcmp(word, "--jobs"))
            jobs = (uint32_t)number(argv[++i]);
        else {
            fprintf(stderr, "usage: simulation [--seeds COUNT] [--from SEED] [--jobs N]\n"
                            "       simulation --seed SEED [--trace]\n");
            return 2;
        }
    }
    if (!one)
        return run_many(from, count, jobs < 1 ? 1 : jobs > JOBS_MOST ? JOBS_MOST : jobs);
    uint64_t reached[SIM_EVENT_COUNT] = {0};
    run_seed(one, trace, reached);
    printf("seed %llu: no rule was broken\n", (unsigned long long)one);
    return 0;
}
