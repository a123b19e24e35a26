package dev.wclayer.benchmarks.compare;

import dev.wclayer.benchmarks.data.Trees;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** A {@link Probe} in a process of its own, counted in seconds or in bytes. */
final class ChildSubject implements Subject {
    /** Which of its figures counts. */
    enum Figure {
        /** From start to end. */
        SECONDS,
        /** Native high water of our library. */
        NATIVE,
        /** High water of the whole process. */
        RESIDENT
    }

    private static final Pattern OUTPUT = Pattern.compile("native (\\d+) resident (\\d+)");

    private final String name;
    private final Figure figure;
    private final List<String> arguments;
    private final List<Path> made;
    private List<Sample> samples = List.of();

    /**
     * A job.
     *
     * @param made folders that the job makes and that have to go after each run
     */
    ChildSubject(String name, Figure figure, List<String> arguments, List<Path> made) {
        this.name = name;
        this.figure = figure;
        this.arguments = arguments;
        this.made = made;
    }

    @Override
    public String name() {
        return name;
    }

    @Override
    public double measure() throws IOException {
        ChildJvm.Outcome outcome = ChildJvm.run(arguments, figure == Figure.RESIDENT);
        samples = outcome.samples();
        for (Path folder : made) {
            Trees.delete(folder);
        }
        if (figure == Figure.SECONDS) {
            return outcome.seconds();
        }
        Matcher output = OUTPUT.matcher(outcome.output());
        if (!output.find()) {
            throw new IOException("a probe printed: " + outcome.output());
        }
        return Double.parseDouble(output.group(figure == Figure.NATIVE ? 1 : 2));
    }

    @Override
    public List<String> contents() {
        return List.of(); // the same jobs are compared in rows of their own
    }

    @Override
    public double start() {
        return 0; // the start is what is asked about
    }

    @Override
    public List<Sample> samples() {
        return samples;
    }
}
