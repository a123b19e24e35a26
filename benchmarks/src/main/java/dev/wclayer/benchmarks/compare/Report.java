package dev.wclayer.benchmarks.compare;

import com.google.gson.Gson;
import com.google.gson.GsonBuilder;
import com.google.gson.JsonParseException;
import java.io.IOException;
import java.io.Reader;
import java.io.Writer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Everything that one run measured; {@code report.json} of a dossier.
 *
 * @param host where
 * @param started when, ISO 8601
 * @param command how to get the same again
 * @param rows the figures
 */
public record Report(Host host, String started, String command, List<RowResult> rows) {
    private static final Gson GSON =
            new GsonBuilder().setPrettyPrinting().disableHtmlEscaping().create();

    /** The figures of one row, ours first. */
    public record RowResult(String id, String question, String set, Unit unit, List<SubjectResult> subjects) {
        /** Id and data set. */
        public String key() {
            return set.isEmpty() ? id : id + ":" + set;
        }

        /** Ours. */
        public SubjectResult ours() {
            return subjects.get(0);
        }

        /** The others. */
        public List<SubjectResult> peers() {
            return subjects.subList(1, subjects.size());
        }
    }

    /**
     * The figures of one subject.
     *
     * @param values every measurement in the order it was made
     * @param start what starting its process costs, part of each value
     * @param ratio its best less start, divided by our best; 1 for ourselves
     * @param medianRatio the same of medians
     * @param target the ratio we set out to reach, if there is one
     * @param samples memory over time, if it was sampled
     */
    public record SubjectResult(
            String name,
            List<Double> values,
            double start,
            double ratio,
            double medianRatio,
            @Nullable Double target,
            List<Subject.Sample> samples) {
        /** The least. */
        public double best() {
            return values.stream().mapToDouble(Double::doubleValue).min().orElseThrow();
        }

        /** The middle one. */
        public double median() {
            List<Double> sorted = values.stream().sorted().toList();
            int half = sorted.size() / 2;
            return sorted.size() % 2 == 1 ? sorted.get(half) : (sorted.get(half - 1) + sorted.get(half)) / 2;
        }
    }

    /** Writes it as JSON. */
    public void write(Path file) throws IOException {
        try (Writer out = Files.newBufferedWriter(file)) {
            GSON.toJson(this, out);
            out.write('\n');
        }
    }

    /** Reads what {@link #write} wrote. */
    public static Report read(Path file) throws IOException {
        try (Reader in = Files.newBufferedReader(file)) {
            Report report = GSON.fromJson(in, Report.class);
            if (report == null || report.rows() == null) {
                throw new IOException(file + " is no report of ./build bench");
            }
            return report;
        } catch (JsonParseException malformed) {
            throw new IOException(file + " is no report of ./build bench: " + malformed.getMessage(), malformed);
        }
    }
}
