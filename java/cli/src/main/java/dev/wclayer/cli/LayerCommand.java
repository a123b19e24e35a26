package dev.wclayer.cli;

import dev.wclayer.WindowsDriver;
import java.io.IOException;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ParentCommand;
import picocli.CommandLine.Spec;

/** A command that opens the home and does one thing. */
@Command(sortOptions = false, usageHelpAutoWidth = true)
abstract class LayerCommand implements Callable<Integer> {
    @ParentCommand
    private Wclayer root;

    @Spec
    private CommandSpec spec;

    /** Does it and returns the exit status. */
    abstract int run(WindowsDriver driver, Output output) throws IOException;

    @Override
    public Integer call() throws IOException {
        Output output = root.output();
        check(output);
        try (WindowsDriver driver = root.open()) {
            return run(driver, output);
        }
    }

    /** Refuses a wrong combination of arguments before anything is opened. */
    void check(Output output) {}

    final Streams streams() {
        return root.streams();
    }

    final ParameterException wrongUsage(String message) {
        return new ParameterException(spec.commandLine(), message);
    }
}
