package dev.wclayer.benchmarks.report;

import dev.wclayer.benchmarks.compare.Report.RowResult;
import dev.wclayer.benchmarks.compare.Report.SubjectResult;
import dev.wclayer.benchmarks.compare.Subject;
import dev.wclayer.benchmarks.data.DataSet;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** The three sorts of pictures of a dossier. */
final class Charts {
    private static final int WIDTH = 1000;
    private static final int LABELS = 450;
    private static final int FIGURES = 150;
    private static final double MOST_OF_TARGET = 3;
    private static final int RIGHT = 110;
    private static final int BAR = 18;
    private static final int STEP = 26;
    private static final int TOP = 52;
    private static final int PLOT_HEIGHT = 260;
    private static final int LEFT = 80;

    private Charts() {}

    /** One bar. */
    private record Bar(
            String label, double length, @Nullable Double mark, String figure) {}

    /** Everything that has a target, as a part of it: what ends right of the line has reached it. */
    static String overview(List<RowResult> rows) {
        List<Bar> bars = new ArrayList<>();
        for (RowResult row : rows) {
            for (SubjectResult peer : row.peers()) {
                Double target = peer.target();
                if (target != null) {
                    double part = peer.ratio() / target;
                    String figure = String.format(Locale.ROOT, "%.2f of %.2f ×", peer.ratio(), target);
                    bars.add(new Bar(row.key() + " · " + peer.name(), Math.min(part, MOST_OF_TARGET), null, figure));
                }
            }
        }
        return bars(
                "What was to be reached, and how much of it was",
                "Each ratio as a part of its target, shown up to " + (int) MOST_OF_TARGET + " times of it.",
                "target",
                bars);
    }

    /** Each peer's figure divided by ours, with the mark to be reached; beyond 1 we are ahead. */
    static String ratios(RowResult row) {
        List<Bar> bars = new ArrayList<>();
        for (SubjectResult peer : row.peers()) {
            String theirs = row.unit().text(peer.best() - peer.start());
            String figure = String.format(Locale.ROOT, "%.2f × · %s", peer.ratio(), theirs);
            bars.add(new Bar(peer.name(), Math.max(0, peer.ratio()), peer.target(), figure));
        }
        String ours = "ours: " + row.unit().text(row.ours().best()) + ". Bars: the peer's figure ÷ ours.";
        return bars(row.key() + ": " + row.question(), ours, "1 = ours", bars);
    }

    private static String bars(String title, String subtitle, String one, List<Bar> bars) {
        int bottom = TOP + STEP * bars.size() + 4;
        Svg svg = new Svg(WIDTH, bottom + 30, title);
        svg.text(8, 40, subtitle, 12, "start", false);
        double most = 1.2;
        for (Bar bar : bars) {
            most = Math.max(most, Math.max(bar.length(), bar.mark() == null ? 0 : bar.mark()));
        }
        double scale = (WIDTH - LABELS - FIGURES) / most;
        for (int i = 0; i < bars.size(); i++) {
            Bar bar = bars.get(i);
            int top = TOP + STEP * i;
            svg.text(LABELS - 8, top + 13, bar.label(), 12, "end", false);
            svg.bar(LABELS, top, bar.length() * scale, BAR, bar.length() >= 1 ? Svg.OURS : Svg.PEER);
            svg.text(WIDTH - 8, top + 13, bar.figure(), 12, "end", false);
            Double mark = bar.mark();
            if (mark != null) {
                double x = LABELS + mark * scale;
                svg.line(x, top - 4, x, top + BAR + 4, Svg.TARGET, true);
            }
        }
        svg.axis(LABELS + scale, TOP - 6, LABELS + scale, bottom);
        svg.text(LABELS + scale, bottom + 14, one, 11, "middle", false);
        if (bars.stream().anyMatch(bar -> bar.mark() != null)) {
            svg.line(WIDTH - 70, bottom + 10, WIDTH - 50, bottom + 10, Svg.TARGET, true);
            svg.text(WIDTH - 8, bottom + 14, "target", 11, "end", false);
        }
        return svg.picture();
    }

    /** Time for each file while layers grow; level lines mean that twice the files take twice the time. */
    static String growth(String title, List<RowResult> rows) {
        Svg svg = new Svg(WIDTH, TOP + PLOT_HEIGHT + 60, title);
        svg.text(
                8,
                40,
                "microseconds for each file, best of each; files in the layer from left to right",
                12,
                "start",
                false);
        Set<String> names = new LinkedHashSet<>();
        double most = 0;
        for (RowResult row : rows) {
            for (SubjectResult subject : row.subjects()) {
                names.add(subject.name());
                most = Math.max(most, perFile(row, subject));
            }
        }
        frame(svg, most, "%.1f µs");
        for (int i = 0; i < rows.size(); i++) {
            svg.text(x(i, rows.size()), TOP + PLOT_HEIGHT + 16, files(rows.get(i)) + " files", 11, "middle", false);
        }
        int series = 0;
        for (String name : names) {
            StringBuilder points = new StringBuilder();
            for (int i = 0; i < rows.size(); i++) {
                RowResult row = rows.get(i);
                for (SubjectResult subject : row.subjects()) {
                    if (subject.name().equals(name)) {
                        double y = TOP + PLOT_HEIGHT * (1 - perFile(row, subject) / most);
                        points.append(String.format(Locale.ROOT, "%.1f,%.1f ", x(i, rows.size()), y));
                    }
                }
            }
            svg.path(points.toString().strip(), Svg.series(series));
            legend(svg, series++, name);
        }
        return svg.picture();
    }

    /** Resident memory of each subject's process while it works. */
    static String memory(RowResult row) {
        Svg svg = new Svg(WIDTH, TOP + PLOT_HEIGHT + 60, row.key() + ": " + row.question());
        svg.text(8, 40, "resident memory of the whole process over time", 12, "start", false);
        List<SubjectResult> sampled = new ArrayList<>();
        double seconds = 0;
        double bytes = 0;
        for (SubjectResult subject : row.subjects()) {
            if (!subject.samples().isEmpty()) {
                sampled.add(subject);
            }
            for (Subject.Sample sample : subject.samples()) {
                seconds = Math.max(seconds, sample.seconds());
                bytes = Math.max(bytes, sample.bytes());
            }
        }
        frame(svg, bytes / 1e6, "%.0f MB");
        svg.text(
                WIDTH - RIGHT, TOP + PLOT_HEIGHT + 16, String.format(Locale.ROOT, "%.1f s", seconds), 11, "end", false);
        for (int i = 0; i < sampled.size(); i++) {
            StringBuilder points = new StringBuilder();
            for (Subject.Sample sample : sampled.get(i).samples()) {
                double x = LEFT + (WIDTH - LEFT - RIGHT) * sample.seconds() / seconds;
                double y = TOP + PLOT_HEIGHT * (1 - sample.bytes() / bytes);
                points.append(String.format(Locale.ROOT, "%.1f,%.1f ", x, y));
            }
            svg.path(points.toString().strip(), Svg.series(i));
            legend(svg, i, sampled.get(i).name());
        }
        return svg.picture();
    }

    private static void frame(Svg svg, double most, String format) {
        int bottom = TOP + PLOT_HEIGHT;
        svg.axis(LEFT, TOP, LEFT, bottom);
        svg.axis(LEFT, bottom, WIDTH - RIGHT, bottom);
        for (int i = 0; i <= 4; i++) {
            double y = bottom - PLOT_HEIGHT * i / 4.0;
            svg.axis(LEFT - 4, y, LEFT, y);
            svg.text(LEFT - 8, y + 4, String.format(Locale.ROOT, format, most * i / 4), 11, "end", false);
        }
    }

    private static void legend(Svg svg, int index, String name) {
        int column = index % 2;
        int line = index / 2;
        double x = LEFT + column * 380.0;
        double y = TOP + PLOT_HEIGHT + 32 + line * 15.0;
        svg.bar(x, y - 8, 14, 8, Svg.series(index));
        svg.text(x + 20, y, name, 12, "start", false);
    }

    private static double x(int index, int count) {
        return LEFT + (WIDTH - LEFT - RIGHT) * (index + 0.5) / count;
    }

    private static int files(RowResult row) {
        return DataSet.of(row.set()).files();
    }

    private static double perFile(RowResult row, SubjectResult subject) {
        return (subject.best() - subject.start()) * 1e6 / files(row);
    }
}
