package dev.wclayer.benchmarks;

import dev.wclayer.benchmarks.compare.Comparison;
import dev.wclayer.benchmarks.compare.Report;
import dev.wclayer.benchmarks.data.DataSet;
import dev.wclayer.benchmarks.data.DataSets;
import dev.wclayer.benchmarks.report.Dossier;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;

/** {@code ./build bench} and {@code ./build guard}. */
public final class Bench {
    private static final String USAGE = """
            ./build bench quick [OPTIONS]   every question on small layers, about two minutes
            ./build bench full [OPTIONS]    the same on layers as large as real ones, about an hour
            ./build bench jmh [JMH ARGS]    one question in depth; -h lists the arguments, -l the benchmarks
            ./build bench data SET FOLDER   makes a data set: nano, core, small, million, pe, or a part as nano/10
            ./build bench charts FOLDER     draws the dossier in FOLDER anew from its report.json
            options: --rows A,B  --rounds N  --work DIR  --data DIR  --out DIR""";

    private Bench() {}

    /**
     * Runs.
     *
     * @param args as {@link #USAGE} says
     * @throws IOException if something fails
     */
    public static void main(String[] args) throws IOException {
        int status = run(List.of(args));
        if (status != 0) {
            System.exit(status);
        }
    }

    private static int run(List<String> args) throws IOException {
        String command = args.isEmpty() ? "" : args.get(0);
        List<String> rest = args.isEmpty() ? args : args.subList(1, args.size());
        switch (command) {
            case "quick", "full", "guard" -> {
                return Comparison.run(command, rest, System.out);
            }
            case "jmh" -> {
                org.openjdk.jmh.Main.main(rest.toArray(new String[0]));
                return 0;
            }
            case "data" -> {
                return rest.size() == 2 ? data(rest.get(0), Path.of(rest.get(1))) : usage();
            }
            case "charts" -> {
                return rest.size() == 1 ? charts(Path.of(rest.get(0))) : usage();
            }
            default -> {
                return usage();
            }
        }
    }

    private static int data(String set, Path folder) throws IOException {
        DataSets.Layer layer = new DataSets(folder).layer(DataSet.of(set));
        System.out.println(layer.tar() + "\n" + layer.tree());
        return 0;
    }

    private static int charts(Path folder) throws IOException {
        Dossier.write(Report.read(folder.resolve(Dossier.REPORT)), folder);
        System.out.println(folder.resolve(Dossier.INDEX));
        return 0;
    }

    private static int usage() {
        System.err.println(USAGE);
        return 2;
    }
}
