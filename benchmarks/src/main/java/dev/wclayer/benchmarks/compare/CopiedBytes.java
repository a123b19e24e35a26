package dev.wclayer.benchmarks.compare;

import dev.wclayer.benchmarks.data.Trees;
import dev.wclayer.benchmarks.task.Shell;
import dev.wclayer.benchmarks.task.Stage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The bytes that a job of the core copies from memory to memory, counted by valgrind's dhat: a needless copy shows on any
 * computer, where what it costs in time would pass for noise. What the kernel copies is not counted.
 */
final class CopiedBytes implements Subject {
    private static final Pattern TOTAL = Pattern.compile("Total: +([0-9,]+) bytes");

    private final Workshop shop;
    private final List<String> commands;
    private final List<Path> made;
    private double counted;

    private CopiedBytes(Workshop shop, List<String> commands, List<Path> made) {
        this.shop = shop;
        this.commands = commands;
        this.made = made;
    }

    /** Of a Diff written from metadata, read to its end, with its diffID. */
    static CopiedBytes ofDiff(Workshop shop, Stage stage) {
        return new CopiedBytes(shop, List.of("open\t" + stage.home(), "diff\t" + Stage.BASE), List.of());
    }

    /** Of an ApplyDiff. */
    static CopiedBytes ofApply(Workshop shop, Stage stage) {
        Path home = shop.fresh("copies");
        String apply = "apply\t" + Stage.BASE + "\t" + stage.layer().tar();
        return new CopiedBytes(shop, List.of("open\t" + home, apply), List.of(home));
    }

    @Override
    public String name() {
        return "wclayer";
    }

    /** Counts the first time; it is the same every time. */
    @Override
    public double measure() throws IOException {
        if (counted == 0) {
            counted = count();
        }
        return counted;
    }

    private double count() throws IOException {
        Path input = shop.fresh("commands");
        Files.write(input, commands);
        String output = Shell.run("valgrind --tool=dhat --mode=copy --dhat-out-file=/dev/null "
                + Shell.quote(shop.coreProgram()) + " < " + Shell.quote(input));
        for (Path folder : made) {
            Trees.delete(folder);
        }
        Matcher total = TOTAL.matcher(output);
        long answered = output.lines().filter(line -> line.startsWith("ok ")).count();
        if (answered != commands.size() || !total.find()) {
            throw new IOException("counting copies: " + output);
        }
        return Double.parseDouble(total.group(1).replace(",", ""));
    }

    @Override
    public List<String> contents() {
        return List.of(); // the same jobs are compared in rows of their own
    }
}
