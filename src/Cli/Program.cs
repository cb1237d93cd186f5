Console.WriteLine(string.Join(' ', args)); return args.Length;
