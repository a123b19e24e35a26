package dev.wclayer.benchmarks.compare;

import java.nio.file.Path;
import java.time.LocalDate;
import java.time.ZoneOffset;
import java.util.List;

/**
 * What the command line says.
 *
 * @param rows keys or ids of the rows wanted; empty: all
 * @param rounds least rounds of a row
 * @param work where the work folder is made; empty: memory if there is enough of it
 * @param data where data sets are kept
 * @param program core_bench
 * @param out where the dossier goes
 * @param guard guard.json
 */
record Options(List<String> rows, int rounds, String work, Path data, Path program, Path out, Path guard) {
    private static final int LEAST_ROUNDS = 5;

    /** For a word that is not understood; the message says which. */
    static final class UsageException extends Exception {
        private static final long serialVersionUID = 1;

        UsageException(String message) {
            super(message);
        }
    }

    static Options parse(List<String> words, String mode) throws UsageException {
        Options options = new Options(
                List.of(),
                mode.equals("full") ? 7 : LEAST_ROUNDS,
                "",
                Path.of("benchmarks/target/data"),
                Path.of("native/target/cmake/release/core_bench"),
                usualOut(mode),
                Path.of("benchmarks/guard.json"));
        for (int i = 0; i < words.size(); i += 2) {
            if (i + 1 == words.size()) {
                throw new UsageException("'" + words.get(i) + "' needs a value");
            }
            options = options.with(words.get(i), words.get(i + 1));
        }
        return options;
    }

    /** Figures of a full run are meant to be kept. */
    private static Path usualOut(String mode) {
        return mode.equals("full")
                ? Path.of("benchmarks/results", LocalDate.now(ZoneOffset.UTC) + "-peers")
                : Path.of("benchmarks/target/results", mode);
    }

    private Options with(String option, String value) throws UsageException {
        return switch (option) {
            case "--rows" -> new Options(List.of(value.split(",")), rounds, work, data, program, out, guard);
            case "--rounds" -> new Options(rows, roundsOf(value), work, data, program, out, guard);
            case "--work" -> new Options(rows, rounds, value, data, program, out, guard);
            case "--data" -> new Options(rows, rounds, work, Path.of(value), program, out, guard);
            case "--core" -> new Options(rows, rounds, work, data, Path.of(value), out, guard);
            case "--out" -> new Options(rows, rounds, work, data, program, Path.of(value), guard);
            case "--guard" -> new Options(rows, rounds, work, data, program, out, Path.of(value));
            default ->
                throw new UsageException(
                        "unknown option '" + option
                                + "'; there are --rows A,B --rounds N --work DIR --data DIR --core FILE --out DIR --guard FILE");
        };
    }

    private static int roundsOf(String value) throws UsageException {
        int rounds;
        try {
            rounds = Integer.parseInt(value);
        } catch (NumberFormatException notANumber) {
            throw new UsageException("--rounds takes a number, not '" + value + "'");
        }
        if (rounds < LEAST_ROUNDS) {
            throw new UsageException("--rounds takes " + LEAST_ROUNDS + " or more: fewer say nothing");
        }
        return rounds;
    }
}
