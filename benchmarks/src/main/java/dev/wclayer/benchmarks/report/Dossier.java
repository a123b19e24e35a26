package dev.wclayer.benchmarks.report;

import dev.wclayer.benchmarks.compare.Report;
import dev.wclayer.benchmarks.compare.Report.RowResult;
import dev.wclayer.benchmarks.compare.Report.SubjectResult;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;

/** A page of charts made from a report: {@code index.md} and one SVG for each row, for each growth and for memory. */
public final class Dossier {
    /** The raw figures. */
    public static final String REPORT = "report.json";
    /** The page. */
    public static final String INDEX = "index.md";

    private static final String GROWTH = "growth-";

    private Dossier() {}

    /**
     * Writes page and charts; the same report gives the same files.
     *
     * @param report the figures
     * @param folder where they go; must exist
     * @throws IOException if they cannot be written
     */
    public static void write(Report report, Path folder) throws IOException {
        for (Map.Entry<String, String> picture : pictures(report).entrySet()) {
            Files.writeString(folder.resolve(picture.getKey()), picture.getValue());
        }
        Files.writeString(folder.resolve(INDEX), page(report));
    }

    /** Names and texts of all charts. */
    static Map<String, String> pictures(Report report) {
        Map<String, String> pictures = new LinkedHashMap<>();
        boolean targets =
                report.rows().stream().flatMap(row -> row.peers().stream()).anyMatch(peer -> peer.target() != null);
        if (targets) {
            pictures.put("overview.svg", Charts.overview(report.rows()));
        }
        for (String id : growing(report)) {
            List<RowResult> rows =
                    report.rows().stream().filter(row -> row.id().equals(id)).toList();
            pictures.put(id + ".svg", Charts.growth(rows.get(0).question(), rows));
        }
        for (RowResult row : report.rows()) {
            if (row.subjects().stream().anyMatch(subject -> !subject.samples().isEmpty())) {
                pictures.put(file(row, "-over-time"), Charts.memory(row));
            }
            if (!row.id().startsWith(GROWTH)) {
                pictures.put(file(row, ""), Charts.ratios(row));
            }
        }
        return pictures;
    }

    private static Set<String> growing(Report report) {
        Set<String> ids = new LinkedHashSet<>();
        report.rows().stream()
                .map(RowResult::id)
                .filter(id -> id.startsWith(GROWTH))
                .forEach(ids::add);
        return ids;
    }

    private static String file(RowResult row, String suffix) {
        return row.key().replaceAll("[^A-Za-z0-9]+", "-") + suffix + ".svg";
    }

    private static String page(Report report) {
        StringBuilder page = new StringBuilder(
                "# wclayer beside its peers, " + report.started().substring(0, 10) + "\n\n");
        page.append("""
                All subjects of a row took turns in one run, on the same files, after their outputs had been compared. A ratio
                is the peer's best figure ÷ our best one: above 1 we are ahead. What starting a peer's process costs was measured
                with the same command on nothing, and is taken off its figure before the ratio. Absolute figures belong to this
                computer on this day, with whatever else it did: only the ratios of one run mean something, and those too move by
                some 15 % from run to run. Targets are set for whole layers; a part of one (as nano/10) is harder, because what a
                layer costs whatever its size weighs more.

                """);
        page.append("Again: `")
                .append(report.command())
                .append("`. Raw figures: [")
                .append(REPORT)
                .append("](")
                .append(REPORT)
                .append(").\n\n");
        page.append(
                "## What was asked\n\n| row | ours | peer | peer's | ratio | of medians | target |\n|---|---|---|---|---|---|---|\n");
        for (RowResult row : report.rows()) {
            for (SubjectResult peer : row.peers()) {
                page.append(line(row, peer));
            }
        }
        page.append("\n## Charts\n\n");
        pictures(report)
                .keySet()
                .forEach(name ->
                        page.append("![").append(name).append("](").append(name).append(")\n\n"));
        page.append("## Where\n\n| | |\n|---|---|\n");
        report.host()
                .facts()
                .forEach((key, value) -> page.append("| ")
                        .append(key)
                        .append(" | ")
                        .append(cell(value))
                        .append(" |\n"));
        page.append("| started | ").append(report.started()).append(" |\n");
        return page.toString();
    }

    private static String line(RowResult row, SubjectResult peer) {
        Double target = peer.target();
        String goal = target == null
                ? ""
                : String.format(Locale.ROOT, "%.2f%s", target, peer.ratio() >= target ? "" : ", **missed**");
        return String.format(
                Locale.ROOT,
                "| %s | %s | %s | %s | %.2f | %.2f | %s |%n",
                row.key(),
                row.unit().text(row.ours().best()),
                cell(peer.name()),
                row.unit().text(peer.best() - peer.start()),
                peer.ratio(),
                peer.medianRatio(),
                goal);
    }

    private static String cell(String text) {
        return text.replace("|", "\\|");
    }
}
