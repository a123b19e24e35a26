package dev.wclayer.benchmarks.compare;

import dev.wclayer.benchmarks.data.DataSet;
import dev.wclayer.benchmarks.data.DataSets;
import dev.wclayer.benchmarks.data.Trees;
import dev.wclayer.benchmarks.task.ChangeStage;
import dev.wclayer.benchmarks.task.CoreBench;
import dev.wclayer.benchmarks.task.Stage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.LinkedHashMap;
import java.util.Map;

/** What rows are measured on, set up when the first row needs it and taken down at the end. */
public final class Workshop implements AutoCloseable {
    private static final Path SHARED_MEMORY = Path.of("/dev/shm");
    private static final long ENOUGH_BYTES = 6L << 30;
    private static final int SWEEPS = 20;

    private final DataSets sets;
    private final Path program;
    private final Path work;
    private final Map<String, Stage> stages = new LinkedHashMap<>();
    private final Map<String, ChangeStage> changes = new LinkedHashMap<>();
    private final Deque<AutoCloseable> others = new ArrayDeque<>();
    private final Thread sweeper = new Thread(this::sweep, "sweeper");

    private int folders;

    /**
     * An empty one.
     *
     * @param sets where the data sets are kept
     * @param program core_bench
     * @param parent where the work folder is made
     * @throws IOException if it cannot be made
     */
    public Workshop(DataSets sets, Path program, Path parent) throws IOException {
        this.sets = sets;
        this.program = program;
        this.work = Files.createTempDirectory(parent, "wclayer-bench");
        Runtime.getRuntime().addShutdownHook(sweeper);
    }

    /** Whoever presses Ctrl-C does not want gigabytes left in memory. The run that ends still makes files meanwhile. */
    private void sweep() {
        boolean swept = false;
        for (int attempt = 0; attempt < SWEEPS && !swept; attempt++) {
            swept = swept();
        }
    }

    private boolean swept() {
        try {
            Trees.delete(work);
            return true;
        } catch (IOException stillWritten) {
            return false;
        }
    }

    /** Memory if there is enough of it, else the temporary folder: disks are slower than what is measured. */
    public static Path usualParent() throws IOException {
        boolean roomy = Files.isWritable(SHARED_MEMORY)
                && Files.getFileStore(SHARED_MEMORY).getUsableSpace() >= ENOUGH_BYTES;
        return roomy ? SHARED_MEMORY : Path.of(System.getProperty("java.io.tmpdir"));
    }

    /** The data sets. */
    public DataSets sets() {
        return sets;
    }

    /** The work folder. */
    public Path work() {
        return work;
    }

    /** A name in the work folder that nobody has. */
    public Path fresh(String name) {
        return work.resolve(name + "-" + ++folders);
    }

    /** A folder beside the data sets, not there yet, which goes at the end. */
    public Path onDisk(String name) {
        Path folder = sets.folder().resolve("work").resolve(name + "-" + ++folders);
        closing(() -> Trees.delete(folder));
        return folder;
    }

    /** A data set, set up. */
    public Stage stage(String set) throws IOException {
        Stage stage = stages.get(set);
        if (stage == null) {
            stage = new Stage(sets.layer(DataSet.of(set)), fresh(DataSet.of(set).folderName()));
            stages.put(set, stage);
        }
        return stage;
    }

    /** A data set and a changed copy. */
    public ChangeStage changes(String set) throws IOException {
        ChangeStage stage = changes.get(set);
        if (stage == null) {
            stage = closing(new ChangeStage(stage(set)));
            changes.put(set, stage);
        }
        return stage;
    }

    /** The core without Java. */
    public CoreBench core() throws IOException {
        return closing(new CoreBench(coreProgram()));
    }

    /** The program that {@link #core()} runs. */
    Path coreProgram() throws IOException {
        if (!Files.isExecutable(program)) {
            throw new IOException("no " + program + "; ./build bench makes it");
        }
        return program;
    }

    /** Something to be closed at the end, before the stages. */
    public <T extends AutoCloseable> T closing(T resource) {
        others.push(resource);
        return resource;
    }

    /** Takes down what is open; the next row sets up what it needs anew. */
    public void clear() throws IOException {
        try {
            while (!others.isEmpty()) {
                others.pop().close();
            }
            for (Stage stage : stages.values()) {
                stage.close();
            }
        } catch (IOException failure) {
            throw failure;
        } catch (Exception failure) {
            throw new IOException(failure);
        } finally {
            changes.clear();
            stages.clear();
        }
    }

    @Override
    public void close() throws IOException {
        try {
            clear();
        } finally {
            Trees.delete(work);
            Runtime.getRuntime().removeShutdownHook(sweeper);
        }
    }
}
