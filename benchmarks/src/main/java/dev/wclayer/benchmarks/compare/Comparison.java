package dev.wclayer.benchmarks.compare;

import dev.wclayer.benchmarks.compare.GuardFile.Floor;
import dev.wclayer.benchmarks.compare.Report.RowResult;
import dev.wclayer.benchmarks.compare.Report.SubjectResult;
import dev.wclayer.benchmarks.data.DataSets;
import dev.wclayer.benchmarks.report.Dossier;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.OffsetDateTime;
import java.time.ZoneOffset;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.function.BiPredicate;

/** {@code ./build bench quick|full} and {@code ./build guard}. */
public final class Comparison {
    private static final int MOST_ROUNDS = 200;
    // A row may take so long if its figures do not settle; on a quiet computer they do at once.
    private static final double QUICK_SECONDS = 5;
    private static final double GUARD_SECONDS = 10;
    private static final double FULL_SECONDS = 60;
    /** Memory does not depend on what else the computer does. */
    private static final RoundRobin BYTES = new RoundRobin(1, 1, 0);

    private final String mode;
    private final Options options;
    private final PrintStream out;

    private Comparison(String mode, Options options, PrintStream out) {
        this.mode = mode;
        this.options = options;
        this.out = out;
    }

    /**
     * Runs a comparison.
     *
     * @param mode quick, full or guard
     * @param words the options
     * @param out for people
     * @return the exit status: 0 done, 1 the guard found something, 2 wrong usage
     * @throws IOException if something cannot be measured
     */
    public static int run(String mode, List<String> words, PrintStream out) throws IOException {
        Options options;
        try {
            options = Options.parse(words, mode);
        } catch (Options.UsageException wrong) {
            out.println(wrong.getMessage());
            return 2;
        }
        Comparison comparison = new Comparison(mode, options, out);
        return mode.equals("guard") ? comparison.guard() : comparison.compare();
    }

    private int compare() throws IOException {
        List<Row> rows = Rows.of(mode.equals("full") ? Scale.FULL : Scale.QUICK).stream()
                .filter(row -> options.rows().isEmpty()
                        || options.rows().contains(row.id())
                        || options.rows().contains(row.key()))
                .toList();
        if (rows.isEmpty()) {
            out.println("no row is called " + options.rows());
            return 2;
        }
        String started = now();
        Path parent = parent();
        Host host = Host.here(parent);
        Files.createDirectories(options.out());
        measure(rows, parent, (row, peer) -> true, results -> {
            Report report = new Report(host, started, command(), results);
            report.write(options.out().resolve(Dossier.REPORT));
            Dossier.write(report, options.out());
        });
        out.println("\nThe dossier is in " + options.out() + " (index.md).");
        return 0;
    }

    private int guard() throws IOException {
        GuardFile file = GuardFile.read(options.guard());
        List<Row> all = Rows.of(Scale.QUICK);
        for (Floor floor : file.floors()) {
            if (all.stream().noneMatch(row -> row.key().equals(floor.row()))) {
                out.println(options.guard() + " names '" + floor.row() + "', which is no row of ./build bench quick");
                return 2;
            }
        }
        Path parent = parent();
        Guard guard = new Guard(file, keys -> measure(rows(all, keys), parent, file::watches, results -> {}));
        List<Guard.Verdict> verdicts = guard.check();
        out.println();
        verdicts.forEach(verdict -> out.println(verdict.text()));
        boolean held = verdicts.stream().allMatch(Guard.Verdict::held);
        out.println(held ? "guard: as fast as before" : "guard: SLOWER THAN BEFORE beside the peers marked FAIL");
        return held ? 0 : 1;
    }

    private static List<Row> rows(List<Row> all, Set<String> keys) {
        return all.stream().filter(row -> keys.contains(row.key())).toList();
    }

    /** Takes what there is after each row: a run of an hour that is broken off has measured what it has measured. */
    @FunctionalInterface
    private interface Keeping {
        void keep(List<RowResult> results) throws IOException;
    }

    private List<RowResult> measure(List<Row> rows, Path parent, BiPredicate<String, String> peers, Keeping keeping)
            throws IOException {
        RoundRobin seconds = new RoundRobin(options.rounds(), MOST_ROUNDS, secondsForRow());
        List<RowResult> results = new ArrayList<>();
        String set = "";
        try (Workshop shop = new Workshop(new DataSets(options.data()), options.program(), parent)) {
            for (Row row : rows) {
                if (!row.set().equals(set)) {
                    shop.clear(); // memory for the next set
                    set = row.set();
                }
                RoundRobin robin = row.unit() == Unit.BYTES ? BYTES : seconds;
                RowResult result = robin.measure(row, chosen(row, row.subjects().in(shop), peers));
                print(result);
                results.add(result);
                keeping.keep(List.copyOf(results));
            }
        }
        return results;
    }

    private double secondsForRow() {
        return switch (mode) {
            case "full" -> FULL_SECONDS;
            case "guard" -> GUARD_SECONDS;
            default -> QUICK_SECONDS;
        };
    }

    /** Ours, and those of the others that are wanted. */
    private static List<Subject> chosen(Row row, List<Subject> subjects, BiPredicate<String, String> peers) {
        List<Subject> chosen = new ArrayList<>(subjects.subList(0, 1));
        for (Subject peer : subjects.subList(1, subjects.size())) {
            if (peers.test(row.key(), peer.name())) {
                chosen.add(peer);
            }
        }
        return chosen;
    }

    private String command() {
        return "./build bench " + mode
                + (options.rows().isEmpty() ? "" : " --rows " + String.join(",", options.rows()));
    }

    private void print(RowResult row) {
        out.printf(Locale.ROOT, "%n%s  %s%n", row.key(), row.question());
        out.println(line(row, row.ours()));
        row.peers().forEach(peer -> out.println(line(row, peer) + ratio(peer)));
    }

    private static String line(RowResult row, SubjectResult subject) {
        return String.format(
                Locale.ROOT,
                "  %-44s best %9s  median %9s  start %7s",
                subject.name(),
                row.unit().text(subject.best()),
                row.unit().text(subject.median()),
                subject.start() == 0 ? "-" : row.unit().text(subject.start()));
    }

    private static String ratio(SubjectResult peer) {
        Double target = peer.target();
        String ratio = String.format(Locale.ROOT, "  %6.2f x", peer.ratio());
        return target == null
                ? ratio
                : ratio + String.format(Locale.ROOT, "  (target %.2f%s)", target, met(peer, target));
    }

    private static String met(SubjectResult subject, double target) {
        return subject.ratio() >= target ? "" : ", missed";
    }

    private Path parent() throws IOException {
        return options.work().isEmpty() ? Workshop.usualParent() : Path.of(options.work());
    }

    private static String now() {
        return OffsetDateTime.now(ZoneOffset.UTC)
                .truncatedTo(ChronoUnit.SECONDS)
                .toString();
    }
}
